import {
  canonicalName,
  defaultTag,
  type Descriptor,
  familiarName,
  familiarReference,
  isAttachmentTag,
  isKatmanError,
  parseManifest,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { RemoteEvent, RemoteRepository } from '@katman/remote'
import { pullImage, type PullResult, selectPlatform, type Store } from '@katman/store'
import { readVerified } from '@katman/transfer'
import { admit } from '../admit.ts'
import { clientReference } from '../client-reference.ts'
import type { Context } from '../context.ts'
import {
  CommandFailure,
  daemonFailure,
  daemonPrefix,
  dockerText,
  plainFailure,
} from '../failure.ts'
import { chosenPlatform, hostPlatform, typedPlatform } from '../host-platform.ts'
import { createPullLines } from '../pull-lines.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { createProgressLines, type ProgressLines } from '../terminal/progress-lines.ts'

export interface PullFlags {
  readonly allTags: boolean
  readonly quiet: boolean
  readonly platform: string | undefined
  readonly referrers: boolean
}

/** `pull NAME[:TAG|@DIGEST]` */
export async function run(
  context: Context,
  flags: PullFlags,
  [name = '']: readonly string[],
): Promise<void> {
  const reference = clientReference(name, flags)
  const say = (line: string): void => {
    if (!flags.quiet) context.stdout.write(`${line}\n`)
  }
  if (!flags.allTags && reference.tag === undefined && reference.digest === undefined) {
    say(`Using default tag: ${defaultTag}`)
  }
  if (familiarName(reference) === 'scratch') {
    throw new CommandFailure("Error response from daemon: 'scratch' is a reserved name")
  }
  const platform = wantedPlatform(flags.platform, context)
  await using store = await context.openStore()
  const told: PullJob['told'] = { retry: undefined }
  await using remote = await context.openRemote({ onEvent: (event) => told.retry?.(event) })
  const repository = remote.repository(reference)
  const job: PullJob = { context, store, repository, platform, flags, say, told }
  if (flags.allTags) {
    await pullAllTags(job, reference)
    context.stdout.write(`${canonicalName(reference)}\n`)
  } else {
    const wanted = withDefaultTag(reference)
    const { changed } = await pullOne(job, wanted)
    say(statusLine(changed, familiarReference(lookedUp(wanted))))
    context.stdout.write(`${canonicalName(wanted)}${suffixOf(wanted)}\n`)
  }
}

interface PullJob {
  readonly context: Context
  readonly store: Store
  readonly repository: RemoteRepository
  readonly platform: Platform | 'all'
  readonly flags: PullFlags
  readonly say: (line: string) => void
  /** What a wait of the registry client is told to: the lines of the tag under way. */
  readonly told: { retry: ((event: RemoteEvent) => void) | undefined }
}

async function pullOne(job: PullJob, reference: Reference): Promise<PullResult> {
  const { context, store, repository } = job
  const label = lookedUp(reference)
  const resolved = await repository
    .resolve(reference.digest ?? reference.tag ?? defaultTag, { signal: context.signal })
    .catch((error: unknown) => {
      throw resolveFailure(error, label)
    })
  const shown =
    reference.digest === undefined ? (reference.tag ?? defaultTag) : canonicalReference(label)
  job.say(`${shown}: Pulling from ${reference.repository}`)
  await mayPull(job, reference, resolved)
  const known = new Set((await store.images()).map((image) => image.id))
  await using lines = layerLines(job)
  const shownLines = createPullLines((id) => known.has(id), lines.update)
  job.told.retry = shownLines
  const result = await pullImage(store, repository, reference, {
    platform: job.platform,
    shown: hostPlatform(),
    resolved,
    referrers: job.flags.referrers,
    signal: context.signal,
    now: context.now,
    onEvent: shownLines,
  }).catch((error: unknown) => {
    lines.finish()
    throw streamFailure(error)
  })
  lines.finish()
  job.say(`Digest: ${result.target.digest}`)
  return result
}

/** The signature policy is asked for what the tag stands for now, and that is what is pulled. */
async function mayPull(job: PullJob, reference: Reference, root: Descriptor): Promise<void> {
  const { context, platform, repository: source } = job
  const chosen = async (): Promise<readonly Descriptor[]> => {
    const bytes = await readVerified(source, root, { signal: context.signal })
    const document = parseManifest(bytes, root.mediaType)
    return document.kind === 'index' ? selectPlatform(document, platform) : []
  }
  const from = { registry: reference }
  await admit(context, { source, root, from, ...(platform === 'all' ? {} : { chosen }) }).catch(
    (error: unknown) => {
      throw daemonFailure(error)
    },
  )
}

async function pullAllTags(job: PullJob, reference: Reference): Promise<void> {
  const tags: string[] = []
  try {
    for await (const tag of job.repository.tags({ signal: job.context.signal })) {
      // Signatures and the like lie under tags of their own: they are no images.
      if (!isAttachmentTag(tag)) tags.push(tag)
    }
  } catch (error) {
    throw isKatmanError(error, 'NAME_UNKNOWN')
      ? new CommandFailure(
          `${daemonPrefix}repository ${familiarName(reference)} not found: ${dockerText(error)}`,
          { cause: error },
        )
      : daemonFailure(error)
  }
  let changed = false
  for (const tag of tags) {
    const result = await pullOne(job, { ...reference, tag })
    changed ||= result.changed
  }
  job.say(statusLine(changed, familiarName(reference)))
}

/** Lines of layers on stdout: redrawn on a terminal, one per change otherwise, none when quiet. */
function layerLines(job: PullJob): ProgressLines & AsyncDisposable {
  const { stdout } = job.context
  const lines = createProgressLines({
    write: (text) => {
      if (!job.flags.quiet) stdout.write(text)
    },
    isTerminal: stdout.isTerminal,
    columns: stdout.columns,
    now: () => job.context.now().getTime(),
  })
  return {
    ...lines,
    async [Symbol.asyncDispose]() {
      lines.finish()
    },
  }
}

function wantedPlatform(flag: string | undefined, context: Context): Platform | 'all' {
  if (flag === 'all') return 'all'
  try {
    return flag ? typedPlatform(flag) : chosenPlatform(undefined, context.env)
  } catch (error) {
    throw daemonFailure(error)
  }
}

/** What docker looks up: with a digest the tag does not matter. */
function lookedUp(reference: Reference): Reference {
  const { registry, repository, digest } = reference
  return digest === undefined ? reference : { registry, repository, digest }
}

function canonicalReference(reference: Reference): string {
  return canonicalName(reference) + suffixOf(reference)
}

function suffixOf({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`)
}

function statusLine(changed: boolean, name: string): string {
  return changed
    ? `Status: Downloaded newer image for ${name}`
    : `Status: Image is up to date for ${name}`
}

/** What docker's engine says when a name leads to nothing. */
function resolveFailure(error: unknown, reference: Reference): CommandFailure {
  const text = dockerText(error)
  if (isKatmanError(error, 'MANIFEST_UNKNOWN') || isKatmanError(error, 'NAME_UNKNOWN')) {
    const name = familiarReference(reference)
    return new CommandFailure(`${daemonPrefix}manifest for ${name} not found: ${text}`, {
      cause: error,
    })
  }
  if (isKatmanError(error, 'DENIED')) {
    return new CommandFailure(
      `${daemonPrefix}pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': ${text}`,
      { cause: error },
    )
  }
  return daemonFailure(error)
}

/** Errors inside the stream have no prefix; what went wrong with bytes has docker's words. */
function streamFailure(error: unknown): CommandFailure {
  if (!isKatmanError(error)) return plainFailure(error)
  const digest = error.details['digest']
  const failure = plainFailure(error)
  if (error.code === 'DIGEST_MISMATCH' && typeof digest === 'string') {
    return new CommandFailure(`${verificationText(error.details['mediaType'])} ${digest}`, {
      cause: error,
    })
  }
  return new CommandFailure(escapeTerminal(failure.message, { newlines: true }), { cause: error })
}

function verificationText(mediaType: unknown): string {
  const type = typeof mediaType === 'string' ? mediaType : ''
  if (type.includes('manifest') || type.includes('index')) {
    return 'manifest verification failed for digest'
  }
  if (type.includes('config') || type.includes('container.image')) {
    return 'error pulling image configuration: image config verification failed for digest'
  }
  return 'filesystem layer verification failed for digest'
}
