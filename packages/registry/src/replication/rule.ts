import { isTag, KatmanError, parsePlatform, type Platform } from '@katman/oci'
import { matchesName } from '../proxy/name-pattern.ts'
import { createPeer, type Peer, type PeerOptions } from '../proxy/upstream.ts'
import { isRepositoryName } from '../route.ts'

/** What is copied between this registry and another, and when. */
export interface ReplicationRule {
  /** What commands and reports call it. */
  readonly name: string
  /** `push` copies from here to there, `pull` from there to here. */
  readonly direction: 'push' | 'pull'
  readonly remote: Peer & { readonly url: string }
  /** Which repositories, by patterns of their names at the source. A name without a star need not be listed there. */
  readonly repositories: readonly string[]
  /** Which tags, by patterns. Default: all. */
  readonly tags: readonly string[]
  /** Tags that are left out, by patterns. */
  readonly exceptTags: readonly string[]
  /** Name by name: the beginning that is taken away, and what is put in its place. */
  readonly rename: { readonly from: string; readonly to: string }
  /** Also what refers to the images: signatures, SBOMs. Default true. */
  readonly referrers: boolean
  /** Only these platforms of an index; the index itself keeps its bytes. Default: all. */
  readonly platforms: readonly Platform[]
  /** Again and again, this long after the last time began, in seconds. */
  readonly everySeconds?: number
  /** As soon as something is pushed here. Only with `push`. */
  readonly onPush: boolean
  /** Tags that the source does not have any more are taken away at the target. Default false. */
  readonly deletes: boolean
  /** At most so many bytes a second, over all of a run. */
  readonly bytesPerSecond?: number
  /** Blobs at the same time. Default 3. */
  readonly concurrency: number
}

export type ReplicationRuleOptions = Partial<
  Omit<ReplicationRule, 'direction' | 'name' | 'platforms' | 'remote'>
> &
  Pick<ReplicationRule, 'direction' | 'name'> & {
    readonly remote: PeerOptions
    readonly platforms?: readonly string[]
  }

/** Completes and checks a rule. Throws `RULE_INVALID`, `UPSTREAM_INVALID`. */
export function createRule(options: ReplicationRuleOptions): ReplicationRule {
  const { direction, everySeconds, name } = options
  const invalid = (reason: string): KatmanError =>
    new KatmanError('RULE_INVALID', `replication rule ${JSON.stringify(name)}: ${reason}`, {
      hint: 'see docs/registry/replication.md',
      details: { rule: name, reason },
    })
  if (!isTag(name)) throw invalid('its name has other characters than letters, digits, . _ -')
  if (direction !== 'push' && direction !== 'pull') throw invalid('its direction is push or pull')
  if (options.onPush === true && direction === 'pull') throw invalid('on-push needs push')
  if (everySeconds !== undefined && !(everySeconds >= 10))
    throw invalid('it cannot be due again within 10 seconds')
  if (options.bytesPerSecond !== undefined && !(options.bytesPerSecond >= 1024))
    throw invalid('less than 1024 bytes a second is nothing')
  return {
    ...options,
    remote: createPeer(options.remote),
    repositories: options.repositories ?? ['**'],
    tags: options.tags ?? ['**'],
    exceptTags: options.exceptTags ?? [],
    rename: options.rename ?? { from: '', to: '' },
    referrers: options.referrers ?? true,
    platforms: (options.platforms ?? []).map((platform) => parsePlatform(platform)),
    onPush: options.onPush ?? false,
    deletes: options.deletes ?? false,
    concurrency: options.concurrency ?? 3,
  }
}

/** What a repository of the source is called at the target; undefined when the rule is not about it. */
export function targetName(rule: ReplicationRule, source: string): string | undefined {
  const { from, to } = rule.rename
  if (!rule.repositories.some((pattern) => matchesName(pattern, source))) return undefined
  if (!source.startsWith(from)) return undefined
  const name = `${to}${source.slice(from.length)}`
  return isRepositoryName(name) ? name : undefined
}

/** Whether the rule is about this tag. */
export function wantsTag(rule: ReplicationRule, tag: string): boolean {
  return (
    rule.tags.some((pattern) => matchesName(pattern, tag)) &&
    !rule.exceptTags.some((pattern) => matchesName(pattern, tag))
  )
}
