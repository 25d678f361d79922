import { tarBytes } from '@katman/layer'
import type { Step } from '../step.ts'

/** A root file system as a tar: text only, because a step's input is text. */
const rootfs = Buffer.from(
  tarBytes([
    { name: 'etc', type: 'directory', mtime: 1_700_000_000 },
    { name: 'etc/motd', content: 'hello\n', mtime: 1_700_000_000 },
    { name: 'bin', type: 'symlink', linkname: 'usr/bin', mtime: 1_700_000_000 },
  ]),
).toString('latin1')

/** What an import leaves, without the time of it. */
const imported =
  '{{.Comment}}|{{.Author}}|{{.Os}}|{{json .Config.Cmd}}|{{json .Config.Env}}|{{json .Config.Labels}}|{{.Size}}|{{json .RootFS}}'

/** save, load and import, through files in the home of the run. */
export const archiveSteps: readonly Step[] = [
  { id: 'save', line: 'save -o /HOME/app.tar REG/team/app:1' },
  { id: 'save several', line: 'save --output /HOME/more.tar REG/team/app REG/team/legacy:1.0' },
  { id: 'save id', line: 'save -o /HOME/id.tar {short:team/legacy:1.0}' },
  { id: 'save one unknown', line: 'save -o /HOME/none.tar REG/team/app:1 nope' },
  { id: 'save --platform', line: 'save --platform linux/amd64 -o /HOME/p.tar REG/team/app:1' },
  { id: 'save unknown flag', line: 'save --foo x' },
  { id: 'load', line: 'load -i /HOME/app.tar' },
  { id: 'load -q', line: 'load -q -i /HOME/app.tar' },
  { id: 'load several', line: 'load --input /HOME/more.tar', order: 'sorted' },
  { id: 'load without name', line: 'load -i /HOME/id.tar' },
  { id: 'load --platform', line: 'load --platform linux/amd64 -i /HOME/app.tar' },
  { id: 'load unknown flag', line: 'load --foo' },
  { id: 'load setup: forget', line: 'tag REG/team/app:2 REG/team/app:1' },
  { id: 'load takes the name over', line: 'load -i /HOME/app.tar' },
  { id: 'load after', line: 'images REG/team/app' },
  { id: 'import', line: 'import - imported:1', stdin: rootfs, hides: 'digests' },
  { id: 'import looked at', line: `inspect -f '${imported}' imported:1` },
  {
    id: 'import history',
    line: "history --format '{{.CreatedBy}}|{{.Comment}}|{{.Size}}' imported:1",
  },
  {
    id: 'import with changes',
    line: "import -m 'a message' -c 'CMD [\"/bin/sh\"]' -c 'ENV A=b C=d' -c 'LABEL x=y' - imported:2",
    stdin: rootfs,
    hides: 'digests',
  },
  { id: 'import with changes looked at', line: `inspect -f '${imported}' imported:2` },
  { id: 'import without name', line: 'import -', stdin: rootfs, hides: 'digests' },
  { id: 'import default tag', line: 'import - imported', stdin: rootfs, hides: 'digests' },
  { id: 'import no change command', line: "import -c 'RUN x' - imported:3", stdin: rootfs },
  { id: 'import upper', line: 'import - UPPER', stdin: rootfs },
  { id: 'import digest', line: 'import - imported@sha256:{hex}', stdin: rootfs },
  { id: 'import no file', line: 'import /HOME/none.tar imported:3' },
  { id: 'import no argument', line: 'import' },
  { id: 'import unknown flag', line: 'import --foo -' },
  {
    id: 'import done: images',
    line: "images --format '{{.Repository}}:{{.Tag}} {{.Size}}' imported",
    order: 'sorted',
  },
  { id: 'import done: rmi', line: 'rmi imported:1 imported:2 imported', hides: 'digests' },
  { id: 'import done: prune', line: 'image prune -f', hides: 'digests' },
  { id: 'inspect --platform', line: 'inspect --platform linux/amd64 REG/team/app:1' },
  { id: 'image inspect --platform', line: 'image inspect --platform linux/amd64 REG/team/app:1' },
  { id: 'history --platform', line: 'history --platform linux/amd64 REG/team/app:1' },
  { id: 'rmi --platform', line: 'rmi --platform linux/amd64 nope' },
]
