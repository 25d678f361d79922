import { saveArchive } from '@katman/archive'
import {
  childrenOf,
  type Descriptor,
  familiarReference,
  isIndexType,
  parseManifest,
  parseReference,
  type Reference,
  shortDigest,
  withDefaultTag,
} from '@katman/oci'
import { loadImage } from '@katman/store'
import {
  copyContent,
  type CopyEvent,
  type CopyOptions,
  type NamingTarget,
  openOciLayout,
  readVerified,
  type Target,
} from '@katman/transfer'
import { admit, policyPlace } from '../admit.ts'
import type { Context } from '../context.ts'
import { copyCosignTags } from '../cosign-tags.ts'
import { plainFailure } from '../failure.ts'
import { hostPlatform, typedPlatform } from '../host-platform.ts'
import {
  narrowTo,
  type OpenedSource,
  openSource,
  parsePlace,
  placeInvalid,
  type PlaceName,
  shownManifest,
} from '../copy-places.ts'
import { formatSize } from '../terminal/size.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { writeFileWhole } from '../write-file.ts'

export interface CpFlags {
  readonly dryRun: boolean
  readonly platform: string | undefined
  readonly quiet: boolean
  readonly referrers: boolean
}

/** `cp SOURCE DESTINATION` */
export async function run(
  context: Context,
  flags: CpFlags,
  [from = '', to = '']: readonly string[],
): Promise<void> {
  try {
    await using stack = new AsyncDisposableStack()
    const source = parsePlace(from)
    const destination = parsePlace(to)
    const opened = await openSource(context, source, stack)
    const platform = flags.platform ? typedPlatform(flags.platform) : undefined
    const root = platform === undefined ? opened.root : await narrowTo(opened, platform)
    const place = policyPlace(source, opened.reference)
    if (place !== undefined) {
      const chosen = platform === undefined ? {} : { chosen: async () => [root] }
      await admit(context, { source: opened.source, root: opened.root, from: place, ...chosen })
    }
    const job: CopyJob = { context, flags, opened, root, source, stack }
    await copyTo(job, destination, to)
    if (!flags.quiet) context.stdout.write(`${root.digest}\n`)
  } catch (error) {
    throw plainFailure(error)
  }
}

interface CopyJob {
  readonly context: Context
  readonly flags: CpFlags
  readonly opened: OpenedSource
  /** What is copied: an index, or a manifest. */
  readonly root: Descriptor
  readonly source: PlaceName
  readonly stack: AsyncDisposableStack
}

async function copyTo(job: CopyJob, destination: PlaceName, typed: string): Promise<void> {
  const { context, flags, opened, root, stack } = job
  switch (destination.kind) {
    case 'docker': {
      const remote = stack.use(await context.openRemote())
      const reference = withDefaultTag(destination.reference)
      const mountSources = (): readonly string[] => mountSourceOf(job.source, reference)
      const target = remote.repository(reference, { mountSources })
      await copyAndTag(job, target, reference.digest === undefined ? reference.tag : undefined)
      return
    }
    case 'oci': {
      const target = await openOciLayout(destination.path, { create: true })
      await copyAndTag(job, target, destination.name ?? opened.reference?.tag)
      return
    }
    case 'store': {
      const store = stack.use(await context.openStore())
      if (flags.dryRun) return dryRun(job, store)
      const has = await presentBelow(job)
      await loadImage(store, opened.source, root, [destination.reference], {
        has,
        shown: hostPlatform(),
        referrers: flags.referrers,
        signal: context.signal,
        now: context.now,
        onEvent: progress(job),
      })
      return
    }
    case 'oci-archive':
    case 'docker-archive': {
      if (flags.dryRun) throw placeInvalid(typed, 'an archive is always written whole')
      if (flags.referrers) throw placeInvalid(typed, 'an archive takes no referrers')
      const name = archiveName(destination.name, opened.reference)
      const manifest = await shownManifest(opened, root, hostPlatform())
      const images = [{ root, manifest, names: name === undefined ? [] : [name] }]
      const { signal } = context
      const has = async (descriptor: Descriptor): Promise<boolean> => opened.has(descriptor)
      await writeFileWhole(saveArchive(opened.source, images, { has, signal }), destination.path)
    }
  }
}

async function copyAndTag(
  job: CopyJob,
  target: NamingTarget,
  tag: string | undefined,
): Promise<void> {
  const { context, flags, opened, root } = job
  if (flags.dryRun) return dryRun(job, target)
  const { signal } = context
  const onEvent = progress(job)
  const result = await copyContent(opened.source, target, root, await copyOptions(job, onEvent))
  const hasTags = job.source.kind === 'docker' || job.source.kind === 'oci'
  if (flags.referrers && hasTags) {
    const attached = await copyCosignTags(opened.source, target, result, { signal, onEvent })
    for (const one of attached) say(job, one.descriptor, `referrer, tag ${one.tag}`)
  }
  if (tag !== undefined) await target.tag(tag, root, { signal })
}

/** Asks the target for everything and says what would move. */
async function dryRun(job: CopyJob, target: Target): Promise<void> {
  const { context, opened, root } = job
  const print = (what: string, { digest, size }: Descriptor): void => {
    context.stdout.write(`${what} ${digest} ${formatSize(size)}\n`)
  }
  const asked: Target = {
    name: target.name,
    async has(descriptor, call) {
      const isThere = await target.has(descriptor, call)
      if (isThere) print('present ', descriptor)
      return isThere
    },
    write: async (descriptor) => print('missing ', descriptor),
  }
  await copyContent(opened.source, asked, root, await copyOptions(job, () => {}))
}

async function copyOptions(
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
async function presentBelow({ opened, root }: CopyJob): Promise<(entry: Descriptor) => boolean> {
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

/** One line for each blob as it arrives, and for each referrer before its blobs. */
function progress(job: CopyJob): (event: CopyEvent) => void {
  const mounted = new Map<string, string>()
  return (event) => {
    const id = shortDigest(event.descriptor.digest)
    if (event.type === 'progress' && event.progress.state === 'mounted') {
      mounted.set(id, event.progress.from)
    }
    const from = mounted.get(id)
    const text =
      event.type === 'referrer'
        ? `referrer ${event.descriptor.artifactType ?? event.descriptor.mediaType}`
        : event.type === 'present'
          ? 'already there'
          : event.type !== 'copied'
            ? undefined
            : from === undefined
              ? `copied, ${formatSize(event.descriptor.size)}`
              : `mounted from ${from}`
    if (text !== undefined) say(job, event.descriptor, text)
  }
}

function say({ context, flags }: CopyJob, { digest }: Descriptor, text: string): void {
  if (!flags.quiet) context.stderr.write(`${shortDigest(digest)}: ${escapeTerminal(text)}\n`)
}

function mountSourceOf(source: PlaceName, target: Reference): readonly string[] {
  if (source.kind !== 'docker') return []
  const { registry, repository } = source.reference
  return registry === target.registry && repository !== target.repository ? [repository] : []
}

/** The name in an archive: as typed, a tag for the source's name, or the source's name. */
function archiveName(name: string | undefined, own: Reference | undefined): Reference | undefined {
  if (name !== undefined) return withDefaultTag(parseReference(name))
  return own === undefined || own.tag === undefined
    ? undefined
    : parseReference(familiarReference(own))
}
