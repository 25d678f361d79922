import type { Queries, Transaction } from '../database/database.ts'
import { deleteWebhooksOf, disableForeignWebhooks } from '../events/webhook-store.ts'
import { Refusal } from '../refusal.ts'
import { bumpGeneration } from './generation.ts'
import type { Role } from './rights.ts'

export interface Namespace {
  readonly name: string
  readonly createdAt: number
  readonly createdBy: string | undefined
}

interface Member {
  readonly account: string
  readonly role: Role
}

interface NamespaceRow {
  readonly name: string
  readonly created_at: number
  readonly created_by: string | null
}

interface NewNamespace {
  readonly name: string
  readonly createdBy: string | undefined
}

/** Whether it is new: false when somebody has it already. Repositories in it keep it from being new, too. */
export async function createNamespace(
  transaction: Transaction,
  { name, createdBy }: NewNamespace,
  now: number,
): Promise<boolean> {
  const used = await transaction.get(
    'SELECT 1 AS one FROM repositories WHERE namespace = ? LIMIT 1',
    [name],
  )
  const count = await transaction.run(
    'INSERT INTO namespaces (name, created_at, created_by) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    [name, now, createdBy ?? null],
  )
  return count > 0 && used === undefined
}

/** Makes the namespaces that nobody has yet nobody's for good: people cannot open them. An administrator gives them owners. */
export async function reserveNamespaces(
  transaction: Transaction,
  names: readonly string[],
  now: number,
): Promise<void> {
  for (const name of names) {
    await transaction.run(
      'INSERT INTO namespaces (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING',
      [name, now],
    )
  }
}

export async function findNamespace(
  queries: Queries,
  name: string,
): Promise<Namespace | undefined> {
  const row = await queries.get<NamespaceRow>(
    'SELECT name, created_at, created_by FROM namespaces WHERE name = ?',
    [name],
  )
  return row && namespaceOf(row)
}

/** So many namespaces a person owns who opens another one. */
const maxOwned = 100

/** @throws Refusal 409 when an account owns a hundred namespaces. */
export async function requireFewOwned(queries: Queries, accountID: number): Promise<void> {
  const row = await queries.get<{ readonly count: number }>(
    "SELECT count(*) AS count FROM namespace_members WHERE account_id = ? AND role = 'owner'",
    [accountID],
  )
  if ((row?.count ?? 0) < maxOwned) return
  throw new Refusal(409, 'CONFLICT', `the account owns ${maxOwned} namespaces already`)
}

/** A page by name after `last`; of one account's namespaces only when `accountID` is given. */
export async function listNamespaces(
  queries: Queries,
  { accountID, last = '', limit }: ListNamespaces,
): Promise<readonly Namespace[]> {
  const rows =
    accountID === undefined
      ? await queries.all<NamespaceRow>(
          'SELECT name, created_at, created_by FROM namespaces WHERE name > ? ORDER BY name LIMIT ?',
          [last, limit],
        )
      : await queries.all<NamespaceRow>(
          `SELECT name, created_at, created_by FROM namespaces
           JOIN namespace_members ON namespace = name AND account_id = ?
           WHERE name > ? ORDER BY name LIMIT ?`,
          [accountID, last, limit],
        )
  return rows.map(namespaceOf)
}

interface ListNamespaces {
  readonly accountID?: number | undefined
  readonly last?: string
  readonly limit: number
}

/**
 * With its robots, grants and webhooks. Its quota stays: that is the administrator's, and nobody gets rid of one by deleting
 * a namespace and opening it again.
 *
 * @throws Refusal 409 while it has repositories.
 */
export async function deleteNamespace(transaction: Transaction, name: string): Promise<void> {
  const used = await transaction.get(
    'SELECT 1 AS one FROM repositories WHERE namespace = ? LIMIT 1',
    [name],
  )
  if (used !== undefined) {
    throw new Refusal(409, 'CONFLICT', `${name} has repositories: delete them first`)
  }
  const robots = await transaction.all<{ readonly id: number }>(
    'SELECT id FROM accounts WHERE namespace = ?',
    [name],
  )
  for (const { id } of robots) {
    await transaction.run('DELETE FROM access_tokens WHERE account_id = ?', [id])
    await transaction.run("DELETE FROM grants WHERE subject = 'account' AND account_id = ?", [id])
    await transaction.run('DELETE FROM namespace_members WHERE account_id = ?', [id])
    await transaction.run('DELETE FROM accounts WHERE id = ?', [id])
  }
  // Whoever opens it next must not find it open to others.
  const inside = `${name}/`
  await transaction.run('DELETE FROM grants WHERE substr(pattern, 1, ?) = ?', [
    inside.length,
    inside,
  ])
  await deleteWebhooksOf(transaction, name)
  await transaction.run('DELETE FROM namespace_members WHERE namespace = ?', [name])
  await transaction.run('DELETE FROM namespaces WHERE name = ?', [name])
  await bumpGeneration(transaction)
}

export async function listMembers(queries: Queries, namespace: string): Promise<readonly Member[]> {
  return queries.all<{ readonly account: string; readonly role: Role }>(
    `SELECT accounts.name AS account, role FROM namespace_members
     JOIN accounts ON accounts.id = account_id WHERE namespace_members.namespace = ? ORDER BY accounts.name`,
    [namespace],
  )
}

export async function setMember(
  transaction: Transaction,
  namespace: string,
  { accountID, role }: { readonly accountID: number; readonly role: Role },
): Promise<void> {
  await transaction.run(
    `INSERT INTO namespace_members (namespace, account_id, role) VALUES (?, ?, ?)
     ON CONFLICT (namespace, account_id) DO UPDATE SET role = excluded.role`,
    [namespace, accountID, role],
  )
  await disableForeignWebhooks(transaction, accountID)
  await bumpGeneration(transaction)
}

/** Whether it was a member. */
export async function deleteMember(
  transaction: Transaction,
  namespace: string,
  accountID: number,
): Promise<boolean> {
  const count = await transaction.run(
    'DELETE FROM namespace_members WHERE namespace = ? AND account_id = ?',
    [namespace, accountID],
  )
  await disableForeignWebhooks(transaction, accountID)
  await bumpGeneration(transaction)
  return count > 0
}

function namespaceOf(row: NamespaceRow): Namespace {
  return { name: row.name, createdAt: row.created_at, createdBy: row.created_by ?? undefined }
}
