import fs from 'node:fs'
import { type FileFacts, errorCode, type Files, type OpenMode } from './files.ts'
import { networkKind } from './network-kind.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = fs.constants
const flags: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY | O_NOFOLLOW,
  create: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
  update: O_RDWR | O_CREAT | O_NOFOLLOW,
}
/** Only trusted places: a `flock` found through PATH could be anything. */
const lockPrograms = ['/usr/bin/flock', '/bin/flock']

/** The file system as Node gives it. Modes do not depend on the umask. */
export function openNodeFiles(): Files {
  return {
    open(path, mode) {
      const file = fs.openSync(path, flags[mode], 0o600)
      if (mode === 'create') fs.fchmodSync(file, 0o600)
      return file
    },
    close: (file) => fs.closeSync(file),
    read: (file, buffer, position) => readFully(file, buffer, position),
    write: (file, chunks, position) => writeFully(file, chunks, position),
    writeNow(file, bytes, position) {
      for (let done = 0; done < bytes.byteLength;) {
        done += fs.writeSync(file, bytes, done, bytes.byteLength - done, position + done)
      }
    },
    fsync: (file) =>
      new Promise((resolve, reject) => {
        fs.fsync(file, (error) => (error === null ? resolve() : reject(error)))
      }),
    truncate: (file, size) => fs.ftruncateSync(file, size),
    readFile: (path) => fs.readFileSync(path),
    readText: (path) => fs.readFileSync(path, 'utf8'),
    stat(path) {
      const stat = fs.lstatSync(path, { throwIfNoEntry: false })
      return stat === undefined ? undefined : factsOf(stat)
    },
    statOpen: (file) => factsOf(fs.fstatSync(file)),
    list: (folder) => fs.readdirSync(folder),
    mkdir(folder) {
      fs.mkdirSync(folder, 0o700)
      fs.chmodSync(folder, 0o700)
    },
    makePrivate: (folder) => fs.chmodSync(folder, 0o700),
    link: (from, to) => fs.linkSync(from, to),
    rename: (from, to) => fs.renameSync(from, to),
    unlink: (path) => fs.unlinkSync(path),
    rmdir: (folder) => fs.rmdirSync(folder),
    networkKind,
    freeBytes(path) {
      const { bavail, bsize } = fs.statfsSync(path)
      return bavail * bsize
    },
    lock,
  }
}

function factsOf(stat: fs.Stats): FileFacts {
  return {
    kind: stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other',
    size: stat.size,
    modifiedAt: stat.mtimeMs,
    inode: stat.ino,
    device: stat.dev,
    owner: stat.uid,
    mode: stat.mode & 0o7777,
  }
}

async function readFully(file: number, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < buffer.byteLength) {
    const count = await new Promise<number>((resolve, reject) => {
      fs.read(file, buffer, done, buffer.byteLength - done, position + done, (error, bytesRead) =>
        error === null ? resolve(bytesRead) : reject(error),
      )
    })
    if (count === 0) break
    done += count
  }
  return done
}

async function writeFully(
  file: number,
  chunks: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.byteLength > 0)
  while (rest.length > 0) {
    let written = await new Promise<number>((resolve, reject) => {
      fs.writev(file, rest, position, (error, bytesWritten) =>
        error === null ? resolve(bytesWritten) : reject(error),
      )
    })
    position += written
    rest = rest.flatMap((chunk) => {
      const skipped = Math.min(written, chunk.byteLength)
      written -= skipped
      return skipped === chunk.byteLength ? [] : [chunk.subarray(skipped)]
    })
  }
}

/**
 * Node has no flock(2). A flock lock belongs to the open file, not to the process: flock(1), given our
 * descriptor, takes it for us and goes away.
 */
function lock(file: number): 'locked' | 'busy' | 'unsupported' {
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  for (const program of lockPrograms) {
    const { status, error } = spawnSync(program, ['-x', '-n', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', file],
    })
    if (errorCode(error) === 'ENOENT') continue
    if (status === 0) return 'locked'
    return status === 1 ? 'busy' : 'unsupported'
  }
  return 'unsupported'
}
