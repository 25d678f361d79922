import fs from 'node:fs'

/** Magic numbers of Linux' network file systems, as statfs tells them. */
const kinds: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'smb'],
  [0xfe534d42, 'smb'],
  [0x01021997, '9p'],
  [0x00c36400, 'ceph'],
  [0x0bd00bd0, 'lustre'],
  [0x5346414f, 'afs'],
  [0x6b414653, 'afs'],
  [0x73757245, 'coda'],
  [0x564c, 'ncp'],
])

const fuse = 0x65735546
/** FUSE programs whose files are on another machine; most others are on this one. */
const remoteFuse =
  /^fuse\.(?:sshfs|s3fs|gcsfuse|rclone|glusterfs|ceph-fuse|davfs2?|curlftpfs|blobfuse2?|moosefs|juicefs|goofys|mount-s3)$/

/** The kind of network file system a path is on; undefined for one of this machine, and where nobody can tell. */
export function networkKind(path: string): string | undefined {
  if (process.platform !== 'linux') return undefined
  const type = fs.statfsSync(path).type >>> 0
  if (type !== fuse) return kinds.get(type)
  const program = fuseProgram(
    fs.readFileSync('/proc/self/mountinfo', 'utf8'),
    fs.realpathSync(path),
  )
  return program !== undefined && remoteFuse.test(program) ? program : undefined
}

/** The type of the mount a path is on (proc_pid_mountinfo(5)): the deepest mount point above it, the last of equal ones. */
export function fuseProgram(mountinfo: string, path: string): string | undefined {
  let best = { point: '', type: undefined as string | undefined }
  for (const line of mountinfo.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const point = before
      .split(' ')[4]
      ?.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      )
    if (point === undefined || point.length < best.point.length) continue
    const isAbove = point === '/' || path === point || path.startsWith(`${point}/`)
    if (isAbove) best = { point, type: after.split(' ')[0] }
  }
  return best.type
}
