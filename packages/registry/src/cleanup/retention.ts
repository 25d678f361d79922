import { type Digest, parseDigest } from '@katman/oci'
import type { Repository } from '../change.ts'
import type { Queries, Transaction } from '../database/database.ts'
import { deleteTag } from '../metadata/tags.ts'
import { type Cleaner, lockClause } from './cleaner.ts'
import { matches } from '../accounts/pattern.ts'
import { matchesGlob } from '../glob.ts'
import { isImmutable, listImmutableTags } from './immutable-tags.ts'
import { removeUnused } from './remove-unused.ts'
import { listRetention, type RetentionPolicy, type RetentionRule } from './retention-policy.ts'

/** What becomes of a tag, and why. */
export interface RetentionVerdict {
  readonly repository: string
  readonly tag: string
  readonly digest: Digest
  readonly isKept: boolean
  readonly why: string
}

export interface RetentionPlan {
  readonly repository: Repository
  readonly verdicts: readonly RetentionVerdict[]
}

const dayMs = 86_400_000
/** How many tags are deleted in one transaction: other writers wait for it. */
const batchSize = 50

/** What the policies would do now, repository by repository. Deletes nothing. */
export async function* planRetention(
  { database, now }: Pick<Cleaner, 'database' | 'now'>,
  signal?: AbortSignal,
): AsyncGenerator<RetentionPlan> {
  const policies = await listRetention(database)
  if (policies.length === 0) return
  const immutable = await listImmutableTags(database)
  for await (const repository of eachRepository(database)) {
    signal?.throwIfAborted()
    const own = policies.filter((policy) => matches(policy.repositories, repository.name))
    if (own.length === 0) continue
    const tags = await listTags(database, repository.id)
    const decided = new Map<string, RetentionVerdict>()
    for (const policy of own) {
      for (const verdict of applyPolicy(policy, { repository, tags, now: now() })) {
        // With several policies for a tag, one that keeps it is enough.
        if (decided.get(verdict.tag)?.isKept !== true) decided.set(verdict.tag, verdict)
      }
    }
    const verdicts = [...decided.values()].map((verdict) =>
      !verdict.isKept && isImmutable(immutable, repository.name, verdict.tag)
        ? { ...verdict, isKept: true, why: 'is immutable' }
        : verdict,
    )
    if (verdicts.length > 0) yield { repository, verdicts }
  }
}

/** Deletes the tags that no policy keeps, and what stands for nothing else then. How many tags that were. */
export async function runRetention(cleaner: Cleaner, signal?: AbortSignal): Promise<number> {
  let total = 0
  for await (const { repository, verdicts } of planRetention(cleaner, signal)) {
    const doomed = verdicts.filter(({ isKept }) => !isKept)
    for (let at = 0; at < doomed.length; at += batchSize) {
      signal?.throwIfAborted()
      const batch = doomed.slice(at, at + batchSize)
      total += await cleaner.database.transaction(async (transaction) => {
        let deleted = 0
        for (const verdict of batch)
          if (await deleteIfStill(cleaner, transaction, repository, verdict)) deleted += 1
        return deleted
      })
    }
  }
  return total
}

interface TagFacts {
  readonly name: string
  readonly digest: Digest
  readonly updatedAt: number
  readonly pulledAt: number | null
}

function applyPolicy(
  policy: RetentionPolicy,
  {
    repository,
    tags,
    now,
  }: { readonly repository: Repository; readonly tags: readonly TagFacts[]; readonly now: number },
): readonly RetentionVerdict[] {
  return tags
    .filter(({ name }) => !isSignatureTag(name) && matchesGlob(policy.tags, name))
    .map((tag, rank) => {
      const reason = policy.keep
        .map((rule) => whyKept(rule, { tag, rank, now }))
        .find((why) => why !== undefined)
      return {
        repository: repository.name,
        tag: tag.name,
        digest: tag.digest,
        isKept: reason !== undefined,
        why: reason ?? whyNot(tag, rank, now),
      }
    })
}

function whyKept(
  rule: RetentionRule,
  { tag, rank, now }: { readonly tag: TagFacts; readonly rank: number; readonly now: number },
): string | undefined {
  if ('newest' in rule) {
    return rank < rule.newest ? `is among the newest ${rule.newest}` : undefined
  }
  if ('pushedWithinDays' in rule) {
    const isYoung = tag.updatedAt > now - rule.pushedWithinDays * dayMs
    return isYoung ? `was pushed in the last ${rule.pushedWithinDays} days` : undefined
  }
  if ('pulledWithinDays' in rule) {
    const isUsed = (tag.pulledAt ?? 0) > now - rule.pulledWithinDays * dayMs
    return isUsed ? `was pulled in the last ${rule.pulledWithinDays} days` : undefined
  }
  return matchesGlob(rule.named, tag.name) ? `is named like ${rule.named}` : undefined
}

function whyNot({ updatedAt, pulledAt }: TagFacts, rank: number, now: number): string {
  const days = (at: number): string => `${Math.floor((now - at) / dayMs)} days ago`
  const pulled = pulledAt === null ? 'never pulled' : `pulled ${days(pulledAt)}`
  return `number ${rank + 1} by age, pushed ${days(updatedAt)}, ${pulled}`
}

/** Tags that tools give to signatures and the like: they go with what they belong to, and count for nothing. */
function isSignatureTag(name: string): boolean {
  return /^sha(?:256|384|512)-[0-9a-f]{64,128}(?:\.[a-z]+)?$/.test(name)
}

async function deleteIfStill(
  cleaner: Cleaner,
  transaction: Transaction,
  repository: Repository,
  { tag, digest }: RetentionVerdict,
): Promise<boolean> {
  // A push may have moved it since.
  const row = await transaction.get<{ readonly digest: string }>(
    `SELECT digest FROM tags WHERE repository_id = ? AND name = ?${lockClause(transaction.engine)}`,
    [repository.id, tag],
  )
  if (row?.digest !== digest) return false
  await deleteTag(transaction, repository.id, tag)
  await cleaner.tell(transaction, {
    kind: 'tag-deleted',
    repository,
    actor: undefined,
    at: cleaner.now(),
    tag,
    digest,
  })
  await removeUnused(cleaner, transaction, repository, digest)
  return true
}

/** Of a repository, the last pushed first. */
async function listTags(queries: Queries, repositoryId: number): Promise<readonly TagFacts[]> {
  const rows = await queries.all<Omit<TagFacts, 'digest'> & { readonly digest: string }>(
    // What a tag stands for is also pulled by its digest.
    `SELECT t.name, t.digest, t.updated_at AS "updatedAt", (
        SELECT MAX(p.last_at) FROM pulls p
        WHERE p.repository_id = t.repository_id AND p.target IN (t.name, t.digest)
      ) AS "pulledAt"
      FROM tags t WHERE t.repository_id = ? ORDER BY t.updated_at DESC, t.name DESC`,
    [repositoryId],
  )
  return rows.map((row) => ({ ...row, digest: parseDigest(row.digest) }))
}

async function* eachRepository(queries: Queries): AsyncGenerator<Repository> {
  for (let last = ''; ;) {
    const page = await queries.all<Repository>(
      'SELECT id, name, namespace FROM repositories WHERE name > ? ORDER BY name LIMIT 100',
      [last],
    )
    yield* page
    const next = page.at(-1)
    if (next === undefined) return
    last = next.name
  }
}
