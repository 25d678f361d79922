import { type Descriptor, type Digest, isDigest, isKatmanError, type Reference } from '@katman/oci'
import type { Remote } from '@katman/remote'
import { copyContent, type CopyEvent, type NamingTarget, type Target } from '@katman/transfer'
import { admit } from '../admit.ts'
import { collectPassed } from '../collect-passed.ts'
import type { Context } from '../context.ts'
import { copyCosignTags } from '../cosign-tags.ts'
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

/** Copies one image to its target when that has another one, or none. Throws what copying throws. */
export async function syncImage(job: SyncJob): Promise<SyncOutcome> {
  const { context, remote, entry, reference } = job
  const { signal } = context
  const from = remote.repository(entry.source)
  const found = await from.resolve(reference, { signal })
  const chosen = await choosePlatforms(from, found, entry.platforms, { signal })
  await admit(context, {
    source: from,
    root: found,
    from: { registry: sourceName(entry, reference) },
    ...(chosen.root === found ? {} : { chosen: async () => [chosen.root] }),
  })
  const to = remote.repository(entry.target, { mountSources: () => mountSources(entry) })
  const { tag } = targetName(entry, reference)
  const isThere = await holds(to, tag, chosen.root, signal)
  const digest = chosen.root.digest
  // What refers to it may have changed all the same.
  if (isThere && !entry.referrers) {
    return { state: 'up to date', digest, movedBlobs: 0, movedBytes: 0, mountedBlobs: 0 }
  }
  const moved = await copy(job, chosen, to)
  if (!job.dryRun && !isThere && tag !== undefined) await to.tag(tag, chosen.root, { signal })
  const isSame = isThere && moved.movedBlobs + moved.mountedBlobs === 0
  const state = isSame ? 'up to date' : 'copied'
  return { state, digest, ...moved }
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
  const result = await copyContent(source, dryRun ? asked(target) : target, root, options)
  if (entry.referrers && !dryRun) {
    await copyCosignTags(source, target, result, { signal, onEvent })
  }
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
  target: NamingTarget & { resolve(tag: string, call: object): Promise<Descriptor> },
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
