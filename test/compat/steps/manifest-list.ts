import type { Step } from '../step.ts'

/** Local manifest lists: made, annotated, looked at, forgotten. */
export const manifestListSteps: readonly Step[] = [
  {
    id: 'manifest create',
    line: 'manifest create --insecure REG/team/list:1 REG/team/app:1 REG/team/legacy:1.0',
  },
  {
    id: 'manifest create again',
    line: 'manifest create --insecure REG/team/list:1 REG/team/app:1',
  },
  {
    id: 'manifest create --amend',
    line: 'manifest create --insecure -a REG/team/list:1 REG/team/app:2',
  },
  {
    id: 'manifest create of a list',
    line: 'manifest create --insecure REG/team/no:1 REG/library/alpine:3.20',
  },
  {
    id: 'manifest create unknown',
    line: 'manifest create --insecure REG/team/no:1 REG/team/app:nope',
  },
  { id: 'manifest create one argument', line: 'manifest create REG/team/no:1' },
  { id: 'manifest create upper', line: 'manifest create REG/Team REG/team/app:1' },
  { id: 'manifest inspect local', line: 'manifest inspect REG/team/list:1' },
  { id: 'manifest inspect -v local', line: 'manifest inspect -v REG/team/list:1' },
  {
    id: 'manifest annotate',
    line: 'manifest annotate --os linux --arch arm --variant v7 REG/team/list:1 REG/team/legacy:1.0',
  },
  {
    id: 'manifest annotate os version',
    line: 'manifest annotate --os windows --arch amd64 --os-version 10.0.1 --os-features win32k REG/team/list:1 REG/team/app:2',
  },
  { id: 'manifest inspect annotated', line: 'manifest inspect REG/team/list:1' },
  {
    id: 'manifest annotate no such entry',
    line: 'manifest annotate --os linux REG/team/list:1 REG/team/nope:1',
  },
  {
    id: 'manifest annotate no such list',
    line: 'manifest annotate --os linux REG/team/no:1 REG/team/app:1',
  },
  {
    id: 'manifest annotate bad platform',
    line: 'manifest annotate --os foo --arch bar REG/team/list:1 REG/team/app:1',
  },
  { id: 'manifest annotate one argument', line: 'manifest annotate REG/team/list:1' },
  { id: 'manifest push no such list', line: 'manifest push REG/team/no:1' },
  { id: 'manifest rm', line: 'manifest rm REG/team/list:1' },
  { id: 'manifest rm again', line: 'manifest rm REG/team/list:1' },
  { id: 'manifest rm no argument', line: 'manifest rm' },
]
