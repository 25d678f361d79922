import { type Descriptor, type Digest, isDigest, isKatmanError, type Reference } from '@katman/oci'
import type { Remote, RemoteRepository } from '@katman/remote'
import { copyContent, type CopyEvent, type NamingTarget, type Target } from '@katman/transfer'
import { admit } from '../admit.ts'
import { collectPassed } from '../collect-passed.ts'
import type { Context } from '../context.ts'
import { choosePlatforms, type ChosenContent } from './filtered-index.ts'
import type { SyncEntry } from './sync-entry.ts'

/** One image to bring into step. */
export interface SyncJob {
  readonly context: Context
  readonly remote: Remote
  readonly entry: SyncEntry
  /** A tag or digest of the source. */
  readonly reference: string
  readonly dryRun: boolean
}

/** What was done, or in a dry run would be. */
export interface SyncOutcome {
  readonly state: 'up to date' | 'copied'
  readonly digest: Digest
  /** Blobs that went over the network, or would. */
  readonly movedBlobs: number
  readonly movedBytes: number
  /** Blobs that the registry took from the source's repository, or in a dry run may take. */
  readonly mountedBlobs: number
}

/** The name an image gets at the target. */
export function targetName({ target }: SyncEntry, reference: string): Reference {
  if (isDigest(reference) && target.tag === undefined) return { ...target, digest: reference }
  return { ...target, tag: target.tag ?? reference }
}

/** One image, looked at on both sides. */
export interface CheckedImage {
  readonly job: SyncJob
  readonly content: ChosenContent
  readonly target: RemoteRepository
  readonly tag: string | undefined
  /** The target has this very image under its name. */
  readonly isThere: boolean
}

/** Finds what is to be copied and whether the target has it. Throws what asking throws, `POLICY_REJECTED`. */
export async function checkImage(job: SyncJob): Promise<CheckedImage> {
  const { context, remote, entry, reference } = job
  const { signal } = context
  const from = remote.repository(entry.source)
  const found = await from.resolve(reference, { signal })
  const content = await choosePlatforms(from, found, entry.platforms, { signal })
  await admit(context, {
    source: from,
    root: found,
    from: { registry: sourceName(entry, reference) },
    ...(content.root === found ? {} : { chosen: async () => [content.root] }),
  })
  const target = remote.repository(entry.target, { mountSources: () => mountSources(entry) })
  const { tag } = targetName(entry, reference)
  return { job, content, target, tag, isThere: await holds(target, tag, content.root, signal) }
}

/** Copies an image to its target when that has another one, or none. Throws what copying throws. */
export async function syncImage(checked: CheckedImage): Promise<SyncOutcome> {
  const { job, content, target, tag, isThere } = checked
  const { digest } = content.root
  // What refers to it may have changed all the same.
  if (isThere && !job.entry.referrers) {
    return { state: 'up to date', digest, movedBlobs: 0, movedBytes: 0, mountedBlobs: 0 }
  }
  const moved = await copy(job, content, target)
  if (!job.dryRun && !isThere && tag !== undefined) {
    await target.tag(tag, content.root, { signal: job.context.signal })
  }
  const isSame = isThere && moved.movedBlobs + moved.mountedBlobs === 0
  return { state: isSame ? 'up to date' : 'copied', digest, ...moved }
}

type Moved = Pick<SyncOutcome, 'movedBlobs' | 'movedBytes' | 'mountedBlobs'>

async function copy(
  { context, entry, dryRun }: SyncJob,
  { source, root }: ChosenContent,
  target: NamingTarget,
): Promise<Moved> {
  const { signal } = context
  const moved = { movedBlobs: 0, movedBytes: 0, mountedBlobs: 0 }
  const mayMount = dryRun && mountSources(entry).length > 0
  const mounted = new Set<Digest>()
  const collect = collectPassed()
  const onEvent = (event: CopyEvent): void => {
    collect(event)
    const { digest, size } = event.descriptor
    if (event.type === 'progress' && event.progress.state === 'mounted') mounted.add(digest)
    if (event.type !== 'copied') return
    if (mayMount || mounted.has(digest)) {
      moved.mountedBlobs++
    } else {
      moved.movedBlobs++
      moved.movedBytes += size
    }
  }
  const referrers = entry.referrers ? true : undefined
  const options = { signal, onEvent, referrers, readFrom: 'source' } as const
  await copyContent(source, dryRun ? asked(target) : target, root, options)
  return moved
}

/** The target, asked for everything and given nothing. */
function asked(target: Target): Target {
  return {
    name: target.name,
    has: (descriptor, call) => target.has(descriptor, call),
    write: async () => {},
  }
}

async function holds(
  target: RemoteRepository,
  tag: string | undefined,
  root: Descriptor,
  signal: AbortSignal,
): Promise<boolean> {
  if (tag === undefined) return target.has(root, { signal })
  try {
    return (await target.resolve(tag, { signal })).digest === root.digest
  } catch (error) {
    if (isKatmanError(error, 'MANIFEST_UNKNOWN') || isKatmanError(error, 'NAME_UNKNOWN')) {
      return false
    }
    throw error
  }
}

function sourceName({ source }: SyncEntry, reference: string): Reference {
  return isDigest(reference) ? { ...source, digest: reference } : { ...source, tag: reference }
}

function mountSources({ source, target }: SyncEntry): readonly string[] {
  const isNear = source.registry === target.registry && source.repository !== target.repository
  return isNear ? [source.repository] : []
}
