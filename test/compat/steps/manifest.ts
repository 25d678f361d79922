import type { Step } from '../step.ts'

/** manifest inspect asks the registry, not the engine. */
export const manifestSteps: readonly Step[] = [
  { id: 'manifest inspect index', line: 'manifest inspect --insecure REG/library/alpine:3.20' },
  { id: 'manifest inspect OCI', line: 'manifest inspect --insecure REG/team/app:2' },
  { id: 'manifest inspect docker', line: 'manifest inspect --insecure REG/team/legacy:1.0' },
  {
    id: 'manifest inspect digest',
    line: 'manifest inspect --insecure REG/team/app@{digest:team/app:1}',
  },
  { id: 'manifest inspect default tag', line: 'manifest inspect --insecure REG/team/app' },
  { id: 'manifest inspect -v index', line: 'manifest inspect --insecure -v REG/team/foreign:1' },
  { id: 'manifest inspect -v OCI', line: 'manifest inspect --insecure -v REG/team/app:1' },
  { id: 'manifest inspect -v docker', line: 'manifest inspect --insecure -v REG/team/legacy:1.0' },
  { id: 'manifest inspect miss', line: 'manifest inspect --insecure REG/team/app:nope' },
  { id: 'manifest inspect unknown repository', line: 'manifest inspect --insecure REG/no/no:1' },
  { id: 'manifest inspect without --insecure', line: 'manifest inspect REG/team/app:1' },
  { id: 'manifest inspect refused', line: 'manifest inspect --insecure 127.0.0.1:1/x/y:1' },
  { id: 'manifest inspect upper', line: 'manifest inspect --insecure REG/Foo' },
  { id: 'manifest inspect no argument', line: 'manifest inspect' },
  { id: 'manifest inspect unknown flag', line: 'manifest inspect --foo x' },
]
