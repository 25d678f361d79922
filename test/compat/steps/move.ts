import type { Step } from '../step.ts'

/** push, save and load: what they refuse. What they move is compared byte for byte elsewhere. */
export const moveSteps: readonly Step[] = [
  { id: 'push unknown', line: 'push REG/team/nope' },
  { id: 'push unknown tag', line: 'push REG/team/nope:1' },
  { id: 'push unknown tag of a known repository', line: 'push REG/team/app:nope' },
  { id: 'push unknown default tag', line: 'push REG/library/alpine' },
  { id: 'push digest', line: 'push REG/team/app@{digest:team/app:1}' },
  { id: 'push -a with tag', line: 'push -a REG/team/app:1' },
  { id: 'push -a unknown', line: 'push -a REG/team/nope' },
  { id: 'push upper', line: 'push REG/Foo' },
  { id: 'push -q unknown', line: 'push -q REG/team/nope:1' },
  { id: 'push refused', line: 'tag REG/team/app:1 127.0.0.1:1/x/y:1' },
  { id: 'push refused: push', line: 'push -q 127.0.0.1:1/x/y:1' },
  { id: 'push refused: rmi', line: 'rmi 127.0.0.1:1/x/y:1' },
  { id: 'push no argument', line: 'push' },
  { id: 'image push', line: 'image push REG/team/nope:1' },
  { id: 'save unknown', line: 'save -o /tmp/katman-compat-none.tar nope' },
  { id: 'save bad name', line: 'save -o /tmp/katman-compat-none.tar UPPER' },
  { id: 'save to no folder', line: 'save -o /katman-compat/none.tar REG/team/app:1' },
  { id: 'save to a folder', line: 'save -o /tmp REG/team/app:1' },
  { id: 'save no argument', line: 'save' },
  { id: 'load no file', line: 'load -i /katman-compat-none.tar' },
  { id: 'load argument', line: 'load x' },
]
