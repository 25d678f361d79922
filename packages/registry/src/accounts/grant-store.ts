import type { Action } from '../access.ts'
import type { Queries, Transaction } from '../database/database.ts'
import { Refusal } from '../refusal.ts'
import { bumpGeneration } from './generation.ts'
import { matches, namespaceOfPattern } from './pattern.ts'
import { actions as allActions, completeActions } from './rights.ts'

/** Whom a right is for: one account, every person who signed in, or whoever asks. */
export type Subject =
  | { readonly kind: 'account'; readonly id: number }
  | { readonly kind: 'everyone' }
  | { readonly kind: 'anonymous' }

export interface Grant {
  readonly id: number
  readonly subject: Subject['kind']
  /** The name of the account. */
  readonly account: string | undefined
  readonly pattern: string
  readonly actions: readonly Action[]
  readonly createdAt: number
  readonly createdBy: string | undefined
}

export interface NewGrant {
  readonly subject: Subject
  readonly pattern: string
  readonly actions: readonly Action[]
  readonly createdBy: string | undefined
}

interface GrantRow {
  readonly id: number
  readonly subject: Subject['kind']
  readonly account: string | null
  readonly pattern: string
  readonly actions: string
  readonly created_at: number
  readonly created_by: string | null
}

const select = `SELECT grants.id, grants.subject, accounts.name AS account, pattern, actions, grants.created_at, created_by
  FROM grants LEFT JOIN accounts ON accounts.id = grants.account_id`

/** So many patterns, and names, of one namespace one subject has at the most: all of them are looked at for one request. */
const maxOfNamespace = 1000
/** Names that are public are found at once. */
const maxPublicNames = 10_000

/**
 * Gives a right; one for the same subject and pattern is replaced. Its id.
 *
 * @throws Refusal 409 when the subject has very many in the namespace.
 */
export async function setGrant(
  transaction: Transaction,
  { subject, pattern, actions, createdBy }: NewGrant,
  now: number,
): Promise<number> {
  const row = await transaction.get<{ readonly id: number }>(
    `INSERT INTO grants (subject, account_id, pattern, actions, created_at, created_by) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (subject, account_id, pattern)
     DO UPDATE SET actions = excluded.actions, created_at = excluded.created_at, created_by = excluded.created_by
     RETURNING id`,
    [
      subject.kind,
      subject.kind === 'account' ? subject.id : 0,
      pattern,
      completeActions(actions).join(','),
      now,
      createdBy ?? null,
    ],
  )
  await requireFew(transaction, { subject, pattern })
  await bumpGeneration(transaction)
  return row?.id ?? 0
}

async function requireFew(
  transaction: Transaction,
  { subject, pattern }: Pick<NewGrant, 'subject' | 'pattern'>,
): Promise<void> {
  const namespace = namespaceOfPattern(pattern)
  if (namespace === undefined) return
  const isName = !pattern.includes('*')
  const most = isName && subject.kind === 'anonymous' ? maxPublicNames : maxOfNamespace
  // From `team/` to before `team0`, the character after the slash.
  const row = await transaction.get<{ readonly count: number }>(
    `SELECT count(*) AS count FROM grants WHERE subject = ? AND account_id = ? AND pattern >= ? AND pattern < ?
     AND pattern ${isName ? 'NOT ' : ''}LIKE '%*%'`,
    [subject.kind, subject.kind === 'account' ? subject.id : 0, `${namespace}/`, `${namespace}0`],
  )
  if ((row?.count ?? 0) <= most) return
  throw new Refusal(
    409,
    'CONFLICT',
    `there are ${most} such grants in ${namespace}: use a pattern for several`,
  )
}

/** Whether there was such a grant. */
export async function deleteGrant(transaction: Transaction, id: number): Promise<boolean> {
  const count = await transaction.run('DELETE FROM grants WHERE id = ?', [id])
  await bumpGeneration(transaction)
  return count > 0
}

/**
 * Takes the right to pull of everybody from one repository.
 *
 * @throws Refusal 409 that names the pattern by which it would still be public: that one is for others, too.
 */
export async function makePrivate(transaction: Transaction, repository: string): Promise<void> {
  const rows = await transaction.all<{ readonly id: number; readonly pattern: string }>(
    "SELECT id, pattern FROM grants WHERE subject = 'anonymous' AND account_id = 0 ORDER BY id",
  )
  for (const { id, pattern } of rows) {
    if (!matches(pattern, repository)) continue
    if (pattern.includes('*')) {
      throw new Refusal(409, 'CONFLICT', `the grant of ${pattern} to anonymous keeps it public`)
    }
    await transaction.run('DELETE FROM grants WHERE id = ?', [id])
  }
  await bumpGeneration(transaction)
}

export async function findGrant(queries: Queries, id: number): Promise<Grant | undefined> {
  const row = await queries.get<GrantRow>(`${select} WHERE grants.id = ?`, [id])
  return row && grantOf(row)
}

/** A page of grants in the order they were made, after the one with the id `last`. */
export async function listGrants(
  queries: Queries,
  { last = 0, limit }: { readonly last?: number; readonly limit: number },
): Promise<readonly Grant[]> {
  const rows = await queries.all<GrantRow>(
    `${select} WHERE grants.id > ? ORDER BY grants.id LIMIT ?`,
    [last, limit],
  )
  return rows.map(grantOf)
}

/** Actions as a row has them. */
export function readActions(text: string): readonly Action[] {
  const given = new Set(text.split(','))
  return allActions.filter((action) => given.has(action))
}

function grantOf(row: GrantRow): Grant {
  return {
    id: row.id,
    subject: row.subject,
    account: row.account ?? undefined,
    pattern: row.pattern,
    actions: readActions(row.actions),
    createdAt: row.created_at,
    createdBy: row.created_by ?? undefined,
  }
}
