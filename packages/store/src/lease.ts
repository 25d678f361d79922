import { randomUUID } from 'node:crypto'
import { type Digest, isDigest, KatmanError } from '@katman/oci'
import { type FileFacts, type Files, unless } from './files.ts'
import type { Layout } from './layout.ts'
import { mayBeAlive, ownIdentity, type ProcessIdentity } from './process-identity.ts'
import { ensureFolder, quietly, removeTree } from './publish.ts'
import { checksum } from './record-file.ts'

/** What a live handle depends on: a locked file that grows by a line for each digest. */
export interface Lease {
  readonly id: string
  readonly path: string
  readonly inode: number
  /** The folder for unfinished files of this handle, removed when the handle dies. */
  readonly temporary: string
  /** Holds content from now on. Must come before the question whether the content is there. */
  hold(kind: 'blob' | 'layer', digest: Digest, mediaType?: string): void
  close(): void
}

/** Makes and locks a new lease. */
export function openLease(files: Files, layout: Layout): Lease {
  for (let attempt = 0; attempt < 8; attempt++) {
    const lease = tryOpen(files, layout)
    if (lease !== undefined) return lease
  }
  throw new KatmanError('STORE_IO', `cannot lock a lease in ${layout.folder('leases')}`, {
    hint: 'does the file system of the store support flock?',
    details: { root: layout.root },
  })
}

/** One line of a lease, understood. */
interface Held {
  readonly kind: 'blob' | 'layer'
  readonly digest: Digest
  readonly mediaType: string | undefined
}

export interface LeaseContent {
  readonly owner: LeaseOwner | undefined
  readonly held: readonly Held[]
  readonly intact: boolean
}

interface LeaseOwner extends ProcessIdentity {
  /** Whether the owner holds the kernel's lock, or none could be had. */
  readonly lock: 'kernel' | 'none'
}

/** Reads a lease. A last line without end is one being written: its writer has not asked anything yet. */
export function parseLease(bytes: Uint8Array): LeaseContent {
  const lines = Buffer.from(bytes).toString('utf8').split('\n').slice(0, -1)
  const values = lines.map(parseLine)
  const owner = ownerOf(values[0])
  const held = values.slice(1).flatMap((value) => heldBy(value) ?? [])
  const intact = lines.length === 0 || (owner !== undefined && held.length === lines.length - 1)
  return { owner, held, intact }
}

/** Runs `whenDead` under the lease's lock if its owner is gone; false when it lives. */
export function ifDead(files: Files, path: string, whenDead: () => void = () => {}): boolean {
  const handle = openIfThere(files, path)
  if (handle === undefined) return false
  try {
    const { owner } = parseLease(files.readFile(path))
    const lock = files.lock(handle)
    if (lock === 'busy') return false
    // Without a kernel lock on either side only the process table can tell.
    if (lock === 'unsupported' && owner === undefined && isNew(files.statOpen(handle))) return false
    if ((lock === 'unsupported' || owner?.lock === 'none') && owner && mayBeAlive(owner))
      return false
    if (files.stat(path)?.inode !== files.statOpen(handle).inode) return false
    whenDead()
    return true
  } finally {
    files.close(handle)
  }
}

function tryOpen(files: Files, layout: Layout): Lease | undefined {
  const id = randomUUID()
  const path = layout.lease(id)
  const handle = files.open(path, 'create')
  let size = 0
  const append = (value: unknown): void => {
    const line = encodeLine(value)
    files.writeNow(handle, line, size)
    size += line.byteLength
  }
  try {
    const lock = files.lock(handle)
    // A collection may have seen the file before it was locked, and have taken it for a dead one's.
    if (lock === 'busy' || files.stat(path)?.inode !== files.statOpen(handle).inode) {
      files.close(handle)
      return undefined
    }
    append({ ...ownIdentity(), lock: lock === 'locked' ? 'kernel' : 'none' } satisfies LeaseOwner)
    const temporary = layout.temporary(id)
    ensureFolder(files, temporary)
    const known = new Set<string>()
    return {
      id,
      path,
      inode: files.statOpen(handle).inode,
      temporary,
      hold(kind, digest, mediaType) {
        const key = `${kind} ${digest} ${mediaType ?? ''}`
        if (known.has(key)) return
        append([kind, digest, ...(mediaType === undefined ? [] : [mediaType])])
        known.add(key)
      },
      close() {
        try {
          removeTree(files, temporary)
          unless(['ENOENT'], () => files.unlink(path))
        } finally {
          files.close(handle)
        }
      },
    }
  } catch (error) {
    quietly(() => files.unlink(path))
    quietly(() => files.close(handle))
    throw error
  }
}

/** A lease without a first line is being made, unless its maker died right then. */
function isNew(facts: FileFacts): boolean {
  return Date.now() - facts.modifiedAt < 60_000
}

function openIfThere(files: Files, path: string): number | undefined {
  let handle: number | undefined
  unless(['ENOENT'], () => {
    handle = files.open(path, 'read')
  })
  return handle
}

function encodeLine(value: unknown): Uint8Array {
  const json = JSON.stringify(value)
  return Buffer.from(`${checksum(json)} ${json}\n`)
}

function parseLine(line: string): unknown {
  const space = line.indexOf(' ')
  const json = line.slice(space + 1)
  if (line.slice(0, space) !== checksum(json)) return undefined
  try {
    return JSON.parse(json) as unknown
  } catch {
    return undefined
  }
}

function ownerOf(value: unknown): LeaseOwner | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { pid, startTime, bootId, pidNamespace, lock } = value as Record<string, unknown>
  if (typeof pid !== 'number' || typeof startTime !== 'string') return undefined
  if (typeof bootId !== 'string' || typeof pidNamespace !== 'string') return undefined
  if (lock !== 'kernel' && lock !== 'none') return undefined
  return { pid, startTime, bootId, pidNamespace, lock }
}

function heldBy(value: unknown): Held | undefined {
  if (!Array.isArray(value)) return undefined
  const [kind, digest, mediaType] = value as readonly unknown[]
  if (kind !== 'blob' && kind !== 'layer') return undefined
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined
  return { kind, digest, mediaType: typeof mediaType === 'string' ? mediaType : undefined }
}
