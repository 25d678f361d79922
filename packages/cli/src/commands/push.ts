import {
  canonicalName,
  defaultTag,
  type Digest,
  familiarName,
  formatReference,
  parseReference,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { RemoteEvent, RemoteRepository } from '@katman/remote'
import {
  type ImageName,
  type ImageView,
  loadImages,
  pushImage,
  type PushResult,
  type Store,
} from '@katman/store'
import { clientReference } from '../client-reference.ts'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, dockerText, plainFailure } from '../failure.ts'
import { createPushLines, pushConcurrency } from '../push-lines.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { createProgressLines } from '../terminal/progress-lines.ts'
import { typedPlatform } from '../host-platform.ts'

export interface PushFlags {
  readonly allTags: boolean
  readonly platform: string | undefined
  readonly quiet: boolean
  readonly referrers: boolean
}

/** `push NAME[:TAG]` */
export async function run(
  context: Context,
  flags: PushFlags,
  [name = '']: readonly string[],
): Promise<void> {
  const { reference, platform } = checkedArguments(name, flags)
  const say = (line: string): void => {
    if (!flags.quiet) context.stdout.write(`${line}\n`)
  }
  const isNamed = reference.tag !== undefined || flags.allTags
  if (!isNamed) say(`Using default tag: ${defaultTag}`)
  await using store = await context.openStore()
  const told: PushJob['told'] = { retry: undefined }
  await using remote = await context.openRemote({ onEvent: (event) => told.retry?.(event) })
  const images = await loadImages(store)
  say(`The push refers to repository [${canonicalName(reference)}]`)
  const names = namesToPush(images, reference, flags.allTags)
  const sources = new Map<Digest, Set<string>>()
  const repository = remote.repository(reference, {
    mountSources: (digest) => [...(sources.get(digest) ?? [])],
    uploadLedger: store.uploads,
  })
  let sought: Promise<void> | undefined
  const beforeCopy = (): Promise<void> => (sought ??= findMountSources(sources, images, reference))
  const job: PushJob = { context, store, repository, platform, flags, beforeCopy, told }
  for (const one of names) {
    const { target, missing } = await pushOne(job, one)
    say(`${one.reference.tag}: digest: ${target.digest} size: ${target.size}`)
    if (missing.length > 0)
      say(`Not pushed, because not here: ${escapeTerminal(missing.join(', '))}`)
  }
  const shown = flags.allTags ? reference : withDefaultTag(reference)
  if (flags.quiet) context.stdout.write(`${canonicalName(shown)}${tagOf(shown)}\n`)
}

interface PushJob {
  readonly context: Context
  readonly store: Store
  readonly repository: RemoteRepository
  readonly platform: Platform | undefined
  readonly flags: PushFlags
  readonly beforeCopy: () => Promise<void>
  /** What a wait of the registry client is told to: the lines of the tag under way. */
  readonly told: { retry: ((event: RemoteEvent) => void) | undefined }
}

async function pushOne(job: PushJob, name: ImageName): Promise<PushResult> {
  const { context, store, repository, platform, flags } = job
  const { stdout } = context
  const lines = createProgressLines({
    write: (text) => {
      if (!flags.quiet) stdout.write(text)
    },
    isTerminal: stdout.isTerminal,
    columns: stdout.columns,
    now: () => context.now().getTime(),
  })
  const shown = createPushLines(lines.update)
  job.told.retry = shown.event
  try {
    return await pushImage(store, repository, name, {
      platform,
      concurrency: pushConcurrency,
      referrers: flags.referrers,
      signal: context.signal,
      now: context.now,
      beforeCopy: job.beforeCopy,
      onLayers: shown.layers,
      onEvent: shown.event,
    })
  } catch (error) {
    throw pushFailure(error)
  } finally {
    lines.finish()
  }
}

/** docker names no address when it lacks a password. */
function pushFailure(error: unknown): CommandFailure {
  const text = dockerText(error)
  const found = /: (no basic auth credentials)$/.exec(text)
  return found?.[1] === undefined
    ? plainFailure(error)
    : new CommandFailure(found[1], { cause: error })
}

function checkedArguments(
  name: string,
  flags: PushFlags,
): { readonly reference: Reference; readonly platform: Platform | undefined } {
  const reference = clientReference(name, flags)
  if (reference.digest !== undefined) {
    throw new CommandFailure('cannot push a digest reference')
  }
  try {
    return { reference, platform: flags.platform ? typedPlatform(flags.platform) : undefined }
  } catch (error) {
    throw daemonFailure(error)
  }
}

/** The names to push, tags sorted. Fails with docker's words when there is none. */
function namesToPush(
  images: readonly ImageView[],
  reference: Reference,
  all: boolean,
): readonly ImageName[] {
  const repository = canonicalName(reference)
  const known = images
    .flatMap((image) => image.tags)
    .filter((name) => canonicalName(name.reference) === repository)
    .toSorted((left, right) => (left.record.name < right.record.name ? -1 : 1))
  const shown = familiarName(reference)
  if (known.length === 0) {
    throw new CommandFailure(`An image does not exist locally with the tag: ${shown}`)
  }
  if (all) return known
  const wanted = withDefaultTag(reference)
  const found = known.find((name) => name.record.name === formatReference(wanted))
  if (found === undefined) throw new CommandFailure(`tag does not exist: ${shown}${tagOf(wanted)}`)
  return [found]
}

/** Where in the same registry a blob was pulled from or pushed to before. */
async function findMountSources(
  sources: Map<Digest, Set<string>>,
  images: readonly ImageView[],
  { registry, repository }: Reference,
): Promise<void> {
  for (const image of images) {
    const repositories = (image.record.from ?? [])
      .map((from) => parseReference(from))
      .filter((from) => from.registry === registry && from.repository !== repository)
      .map((from) => from.repository)
    if (repositories.length === 0) continue
    // Only a hint: an image that cannot be read is no reason not to push another.
    const manifest = await image.readManifest().catch(() => undefined)
    if (manifest === undefined) continue
    const { config, layers } = manifest
    for (const { digest } of [config, ...layers]) {
      const known = sources.get(digest) ?? new Set<string>()
      sources.set(digest, known)
      for (const one of repositories) known.add(one)
    }
  }
}

function tagOf({ tag }: Reference): string {
  return tag === undefined ? '' : `:${tag}`
}
