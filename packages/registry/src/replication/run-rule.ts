import { type Digest, isDigest, isKatmanError, matchExactPlatforms } from '@katman/oci'
import type { Remote } from '@katman/remote'
import {
  type CallOptions,
  copyContent,
  type CopyOptions,
  type NamingTarget,
  type ReferrerSource,
  type Source,
  type TagReader,
} from '@katman/transfer'
import type { Content } from '../proxy/content.ts'
import { Refusal } from '../refusal.ts'
import { openContentPlace } from './content-place.ts'
import { type ReplicationRule, targetName, wantsTag } from './rule.ts'
import { createThrottle, type Throttle } from './throttle.ts'

/** What a run did. */
export interface RunReport {
  /** Tags that were brought up to date, of content that was moved or not. */
  readonly copied: number
  /** Tags that were the same. */
  readonly same: number
  readonly deleted: number
  readonly failed: number
  readonly movedBlobs: number
  readonly movedBytes: number
}

export interface RunFailure {
  readonly repository: string
  /** The tag or digest; undefined for the repository, or the list of repositories. */
  readonly reference: string | undefined
  readonly code: string
  readonly message: string
}

export type RunEvent =
  | { readonly type: 'repository'; readonly source: string; readonly target: string }
  | {
      readonly type: 'copied' | 'same' | 'would-copy' | 'deleted' | 'would-delete'
      readonly source: string
      readonly target: string
      readonly reference: string
      readonly digest?: Digest
    }
  | ({ readonly type: 'failed' } & RunFailure)

export interface RunOptions {
  readonly content: Content
  /** The names of this registry's repositories, sorted. */
  readonly repositories: () => AsyncIterable<string>
  readonly remote: Remote
  /** Only this, instead of all the rule is about. */
  readonly only?: { readonly repository: string; readonly reference: string } | undefined
  /** Says what would be done. Default false. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: (event: RunEvent, report: RunReport) => void
}

interface Place extends Source, NamingTarget, ReferrerSource, TagReader {
  list(call: CallOptions): AsyncIterable<string>
  untag(tag: string, call: CallOptions): Promise<boolean>
}

interface Run {
  readonly rule: ReplicationRule
  readonly options: RunOptions
  readonly report: { -readonly [K in keyof RunReport]: RunReport[K] }
  readonly throttle: Throttle | undefined
  tell(event: RunEvent): void
}

/**
 * Carries a rule out once. What the target has is not moved, so that a run that was killed goes on where it was. A failure of one
 * image is told and the next one follows; a registry that cannot be listed fails the run.
 */
export async function runRule(rule: ReplicationRule, options: RunOptions): Promise<RunReport> {
  const { only, signal } = options
  const report = { copied: 0, same: 0, deleted: 0, failed: 0, movedBlobs: 0, movedBytes: 0 }
  const run: Run = {
    rule,
    options,
    report,
    throttle: rule.bytesPerSecond === undefined ? undefined : createThrottle(rule.bytesPerSecond),
    tell: (event) => options.onEvent?.(event, report),
  }
  if (only !== undefined) {
    await runOnly(run, only)
    return report
  }
  for await (const source of sourceNames(run)) {
    signal?.throwIfAborted()
    const target = targetName(rule, source)
    if (target === undefined) continue
    run.tell({ type: 'repository', source, target })
    await attempt(run, source, undefined, () => copyRepository(run, openPair(run, source, target)))
  }
  return report
}

/** What was pushed here: by the time this runs it may be gone again. */
async function runOnly(run: Run, only: NonNullable<RunOptions['only']>): Promise<void> {
  const { options, rule } = run
  const { reference, repository } = only
  const target = targetName(rule, repository)
  if (target === undefined) return
  const pair = openPair(run, repository, target)
  if ((await options.content.manifest(repository, reference)) !== undefined)
    await copyOne(run, pair, reference)
  else if (rule.deletes && !isDigest(reference)) await removeOne(run, pair, reference)
}

/** Names without a star are taken as they are: Docker Hub, for one, does not list its repositories. */
async function* sourceNames({ options, rule }: Run): AsyncIterable<string> {
  const patterns = rule.repositories.filter((pattern) => pattern.includes('*'))
  for (const name of rule.repositories) if (!name.includes('*')) yield name
  if (patterns.length === 0) return
  const listed =
    rule.direction === 'push'
      ? options.repositories()
      : options.remote.repositories(new URL(rule.remote.url).host, { signal: options.signal })
  for await (const name of listed) if (!rule.repositories.includes(name)) yield name
}

interface Pair {
  readonly source: Place
  readonly target: Place
  readonly sourceName: string
  readonly targetName: string
}

function openPair({ options, rule }: Run, source: string, target: string): Pair {
  const here = (name: string): Place => {
    const { content } = options
    return {
      ...openContentPlace(content, name),
      async *list() {
        yield* await content.tags(name)
      },
      untag: (tag) => content.deleteTag(name, tag),
    }
  }
  const there = (name: string): Place => {
    const repository = options.remote.repository({
      registry: new URL(rule.remote.url).host,
      repository: name,
    })
    return { ...repository, list: (call) => repository.tags(call) }
  }
  const isPush = rule.direction === 'push'
  return {
    source: isPush ? here(source) : there(source),
    target: isPush ? there(target) : here(target),
    sourceName: source,
    targetName: target,
  }
}

async function copyRepository(run: Run, pair: Pair): Promise<void> {
  const { options, rule } = run
  const call = { signal: options.signal }
  const wanted = new Set<string>()
  for await (const tag of pair.source.list(call)) if (wantsTag(rule, tag)) wanted.add(tag)
  for (const tag of [...wanted].sort()) {
    options.signal?.throwIfAborted()
    await attempt(run, pair.sourceName, tag, () => copyOne(run, pair, tag))
  }
  if (!rule.deletes) return
  const had: string[] = []
  try {
    for await (const tag of pair.target.list(call)) if (wantsTag(rule, tag)) had.push(tag)
  } catch (error) {
    if (isKatmanError(error, 'NAME_UNKNOWN')) return
    throw error
  }
  for (const tag of had.filter((known) => !wanted.has(known))) {
    await attempt(run, pair.sourceName, tag, () => removeOne(run, pair, tag))
  }
}

/** Copies a tag, or a manifest by digest. */
async function copyOne(run: Run, pair: Pair, reference: string): Promise<void> {
  const { options, report, rule } = run
  const { source, target } = pair
  const call = { signal: options.signal }
  const root = await source.resolve(reference, call)
  const { digest } = root
  const told = { source: pair.sourceName, target: pair.targetName, reference, digest }
  const isTagged = !isDigest(reference)
  const isSame = isTagged
    ? (await target.readTag(reference, call)) === digest
    : await target.has(root, call)
  if (options.dryRun === true) {
    if (isSame) report.same++
    else report.copied++
    run.tell({ type: isSame ? 'same' : 'would-copy', ...told })
    return
  }
  // What refers to it may have come later.
  if (isSame && !rule.referrers) {
    report.same++
    run.tell({ type: 'same', ...told })
    return
  }
  let written = 0
  const counting: Place = {
    ...target,
    async write(...given) {
      await target.write(...given)
      written++
    },
  }
  const slow: Place = {
    ...source,
    async open(descriptor, opened = {}) {
      const bytes = await source.open(descriptor, opened)
      return run.throttle === undefined ? bytes : run.throttle(bytes, opened.signal)
    },
  }
  const copied = await copyContent(slow, counting, root, copyOptions(run))
  if (isTagged && !isSame) await target.tag(reference, root, call)
  report.movedBlobs += copied.movedBlobs
  report.movedBytes += copied.movedBytes
  const isChanged = !isSame || written > 0
  if (isChanged) report.copied++
  else report.same++
  run.tell({ type: isChanged ? 'copied' : 'same', ...told })
}

function copyOptions({ options, rule }: Run): CopyOptions {
  const { concurrency, platforms, referrers } = rule
  return {
    concurrency,
    configs: 'copy',
    signal: options.signal,
    ...(referrers ? { referrers: true } : {}),
    ...(platforms.length === 0
      ? {}
      : {
          select: (index) =>
            platforms.flatMap((platform) =>
              matchExactPlatforms(platform, index.manifests, (entry) => entry.platform).slice(0, 1),
            ),
        }),
  }
}

async function removeOne(run: Run, pair: Pair, tag: string): Promise<void> {
  const { options, report } = run
  const told = { source: pair.sourceName, target: pair.targetName, reference: tag }
  if (options.dryRun === true) {
    report.deleted++
    run.tell({ type: 'would-delete', ...told })
    return
  }
  if (!(await pair.target.untag(tag, { signal: options.signal }))) return
  report.deleted++
  run.tell({ type: 'deleted', ...told })
}

/** What fails for one image need not fail for the next. */
async function attempt(
  run: Run,
  repository: string,
  reference: string | undefined,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    run.options.signal?.throwIfAborted()
    if (!(isKatmanError(error) || error instanceof Refusal)) throw error
    run.report.failed++
    const { code, message } = error
    run.tell({ type: 'failed', repository, reference, code, message })
  }
}
