import {
  childrenOf,
  type Descriptor,
  isIndexType,
  parseManifest,
  type Reference,
  shortDigest,
} from '@katman/oci'
import { type CopyEvent, type CopyOptions, readVerified } from '@katman/transfer'
import { collectPassed } from './collect-passed.ts'
import type { Context } from './context.ts'
import type { OpenedSource, PlaceName } from './copy-places.ts'
import { formatSize } from './terminal/size.ts'
import { escapeTerminal } from './terminal/escape.ts'

export interface CopyFlags {
  readonly allTags: boolean
  readonly dryRun: boolean
  readonly platform: string | undefined
  readonly quiet: boolean
  readonly referrers: boolean
}

/** One image to copy. */
export interface CopyJob {
  readonly context: Context
  readonly flags: CopyFlags
  readonly opened: OpenedSource
  /** What is copied: an index, or a manifest. */
  readonly root: Descriptor
  readonly source: PlaceName
}

/** How the engine copies it. */
export async function copyOptions(
  job: CopyJob,
  onEvent: (event: CopyEvent) => void,
): Promise<CopyOptions> {
  const has = await presentBelow(job)
  return {
    signal: job.context.signal,
    readFrom: 'source',
    referrers: job.flags.referrers ? true : undefined,
    select: (index) => index.manifests.filter((entry) => has(entry)),
    onEvent,
  }
}

/** What of an index the source has: asked once, because the engine does not wait to choose. */
export async function presentBelow({
  opened,
  root,
}: CopyJob): Promise<(entry: Descriptor) => boolean> {
  const absent = new Set<string>()
  const look = async (descriptor: Descriptor): Promise<void> => {
    if (!isIndexType(descriptor.mediaType)) return
    const bytes = await readVerified(opened.source, descriptor)
    for (const child of childrenOf(parseManifest(bytes, descriptor.mediaType))) {
      if (await opened.has(child)) await look(child)
      else absent.add(child.digest)
    }
  }
  await look(root)
  return ({ digest }) => !absent.has(digest)
}

/** The repository of the same registry that blobs can be mounted from. */
export function mountSourceOf(source: PlaceName, target: Reference): readonly string[] {
  if (source.kind !== 'docker') return []
  const { registry, repository } = source.reference
  return registry === target.registry && repository !== target.repository ? [repository] : []
}

/** One line for each blob as it arrives, and for each referrer before its blobs. */
export function copyLines(job: CopyJob): (event: CopyEvent) => void {
  const mounted = new Map<string, string>()
  const collect = collectPassed()
  return (event) => {
    collect(event)
    const { digest } = event.descriptor
    if (event.type === 'progress' && event.progress.state === 'mounted') {
      mounted.set(digest, event.progress.from)
    }
    const text = lineOf(event, mounted.get(digest))
    if (text !== undefined) sayOf(job, event.descriptor, text)
  }
}

function sayOf({ context, flags }: CopyJob, { digest }: Descriptor, text: string): void {
  if (!flags.quiet) context.stderr.write(`${shortDigest(digest)}: ${escapeTerminal(text)}\n`)
}

function lineOf(event: CopyEvent, mountedFrom: string | undefined) {
  const { type, descriptor } = event
  const { artifactType, mediaType, size } = descriptor
  if (type === 'referrer') {
    return event.tag === undefined
      ? `referrer ${artifactType ?? mediaType}`
      : `referrer, tag ${event.tag}`
  }
  if (type === 'present') return 'already there'
  if (type !== 'copied') return undefined
  return mountedFrom === undefined ? `copied, ${formatSize(size)}` : `mounted from ${mountedFrom}`
}
