import { runChecked } from '../peers/terminal.ts'

/** One line of a listing, in the words of GNU tar. */
export interface TarLine {
  /** `-rwxr-xr-x`, with the letter of the type. */
  readonly mode: string
  /** `uid/gid` */
  readonly owner: string
  readonly size: string
  /** Whole seconds, UTC. */
  readonly time: string
  readonly path: string
  /** Target of a symbolic or hard link; empty for others. */
  readonly link: string
}

/** Lists an archive, compressed or not, by GNU tar. Names must hold no ` -> ` and no line feed. */
export async function listByGnuTar(archive: string): Promise<readonly TarLine[]> {
  const flags = ['--numeric-owner', '--full-time', '--quoting-style=literal']
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }
  const { stdout } = await runChecked('tar', ['-tvf', archive, ...flags], { env })
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const found = /^(\S+) +(\S+) +(\S+) (\S+ \S{8})\S* (.*)$/.exec(line)
      const [, mode = '', owner = '', size = '', time = '', rest = ''] = found ?? []
      const [path = '', link = ''] = rest.split(/ -> | link to /)
      return {
        mode,
        owner,
        size,
        time,
        path: clean(path),
        link: mode.startsWith('h') ? clean(link) : link,
      }
    })
}

/** What `katman layers --format json` says of an entry, as far as it is compared. */
export interface ListedEntry {
  readonly path: string
  readonly type: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtime: number
  readonly linkname?: string
  readonly devMajor?: number
  readonly devMinor?: number
}

const letters: Readonly<Record<string, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  hardlink: 'h',
  character: 'c',
  block: 'b',
  fifo: 'p',
}

/** The same entry as GNU tar would list it. */
export function asGnuTar(entry: ListedEntry): TarLine {
  const { devMajor, devMinor } = entry
  return {
    mode: `${letters[entry.type] ?? '?'}${modeText(entry.mode)}`,
    owner: `${entry.uid}/${entry.gid}`,
    size: devMajor === undefined ? String(entry.size) : `${devMajor},${devMinor}`,
    time: new Date(entry.mtime * 1000).toISOString().slice(0, 19).replace('T', ' '),
    path: entry.path,
    link: entry.linkname ?? '',
  }
}

function modeText(mode: number): string {
  const part = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift
    const mark =
      (mode & special) === 0 ? undefined : (bits & 1) === 0 ? letter.toUpperCase() : letter
    const run = mark ?? ((bits & 1) === 0 ? '-' : 'x')
    return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${run}`
  }
  return part(6, 0o4000, 's') + part(3, 0o2000, 's') + part(0, 0o1000, 't')
}

function clean(path: string): string {
  return path.replace(/^\.\//, '').replace(/\/$/, '') || '.'
}
