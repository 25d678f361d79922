import type { Queries, Transaction } from '../database/database.ts'
import { disableForeignWebhooks } from '../events/webhook-store.ts'
import { Refusal } from '../refusal.ts'
import { bumpGeneration } from './generation.ts'

export interface Account {
  readonly id: number
  readonly name: string
  readonly kind: 'person' | 'robot'
  /** The namespace a robot belongs to. */
  readonly namespace: string | undefined
  readonly description: string
  readonly isAdmin: boolean
  /** Whether it may open namespaces that nobody has. */
  readonly mayCreate: boolean
  readonly isDisabled: boolean
  /** Whether it can come in with a password. */
  readonly hasPassword: boolean
  /** The OIDC issuer it comes from. */
  readonly issuer: string | undefined
  readonly createdAt: number
}

export interface NewAccount {
  readonly name: string
  readonly kind: Account['kind']
  readonly namespace?: string
  readonly description?: string
  /** As `hashPassword` gives it. */
  readonly password?: string
  readonly isAdmin?: boolean
  readonly mayCreate?: boolean
  readonly issuer?: string
  readonly subject?: string
}

const columns = `id, name, kind, namespace, description, password IS NOT NULL AS has_password, is_admin,
  may_create, is_disabled, issuer, created_at`

interface AccountRow {
  readonly id: number
  readonly name: string
  readonly kind: Account['kind']
  readonly namespace: string | null
  readonly description: string
  readonly has_password: number | boolean
  readonly is_admin: number
  readonly may_create: number
  readonly is_disabled: number
  readonly issuer: string | null
  readonly created_at: number
}

/** @throws Refusal 409 when the name is taken. */
export async function createAccount(
  transaction: Transaction,
  account: NewAccount,
  now: number,
): Promise<Account> {
  const row = await transaction.get<AccountRow>(
    `INSERT INTO accounts (name, kind, namespace, description, password, is_admin, may_create, issuer, subject,
       created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING ${columns}`,
    [
      account.name,
      account.kind,
      account.namespace ?? null,
      account.description ?? '',
      account.password ?? null,
      account.isAdmin === true ? 1 : 0,
      account.mayCreate === true ? 1 : 0,
      account.issuer ?? null,
      account.subject ?? null,
      now,
      now,
    ],
  )
  if (row === undefined) {
    throw new Refusal(409, 'CONFLICT', `there is an account ${account.name} already`)
  }
  await bumpGeneration(transaction)
  return accountOf(row)
}

export async function findAccount(queries: Queries, name: string): Promise<Account | undefined> {
  const row = await queries.get<AccountRow>(`SELECT ${columns} FROM accounts WHERE name = ?`, [
    name,
  ])
  return row && accountOf(row)
}

export async function findAccountByID(queries: Queries, id: number): Promise<Account | undefined> {
  const row = await queries.get<AccountRow>(`SELECT ${columns} FROM accounts WHERE id = ?`, [id])
  return row && accountOf(row)
}

export async function findAccountBySubject(
  queries: Queries,
  issuer: string,
  subject: string,
): Promise<Account | undefined> {
  const row = await queries.get<AccountRow>(
    `SELECT ${columns} FROM accounts WHERE issuer = ? AND subject = ?`,
    [issuer, subject],
  )
  return row && accountOf(row)
}

/** A page of accounts by name, after `last`. */
export async function listAccounts(
  queries: Queries,
  kind: Account['kind'],
  { namespace, last = '', limit }: ListAccounts,
): Promise<readonly Account[]> {
  const rows =
    namespace === undefined
      ? await queries.all<AccountRow>(
          `SELECT ${columns} FROM accounts WHERE kind = ? AND name > ? ORDER BY name LIMIT ?`,
          [kind, last, limit],
        )
      : await queries.all<AccountRow>(
          `SELECT ${columns} FROM accounts WHERE kind = ? AND namespace = ? AND name > ? ORDER BY name LIMIT ?`,
          [kind, namespace, last, limit],
        )
  return rows.map(accountOf)
}

export async function countRobots(queries: Queries, namespace: string): Promise<number> {
  const row = await queries.get<{ readonly count: number }>(
    "SELECT count(*) AS count FROM accounts WHERE kind = 'robot' AND namespace = ?",
    [namespace],
  )
  return row?.count ?? 0
}

interface ListAccounts {
  readonly namespace?: string
  readonly last?: string
  readonly limit: number
}

/** The stored hash of a password; undefined where there is none. */
export async function readPassword(queries: Queries, id: number): Promise<string | undefined> {
  const row = await queries.get<{ readonly password: string | null }>(
    'SELECT password FROM accounts WHERE id = ?',
    [id],
  )
  return row?.password ?? undefined
}

/** Sets a password and ends what may have been got by the old one: refresh tokens and those of logins. */
export async function setPassword(
  transaction: Transaction,
  id: number,
  password: string,
  now: number,
): Promise<void> {
  await transaction.run('UPDATE accounts SET password = ?, updated_at = ? WHERE id = ?', [
    password,
    now,
    id,
  ])
  await transaction.run(
    "DELETE FROM access_tokens WHERE account_id = ? AND kind IN ('refresh', 'login')",
    [id],
  )
  await bumpGeneration(transaction)
}

export interface AccountChanges {
  readonly isAdmin?: boolean | undefined
  readonly mayCreate?: boolean | undefined
  readonly isDisabled?: boolean | undefined
  readonly description?: string | undefined
}

/** @throws Refusal 409 when nobody would be left to administer the registry. */
export async function changeAccount(
  transaction: Transaction,
  id: number,
  changes: AccountChanges,
  now: number,
): Promise<void> {
  const flag = (value: boolean | undefined): number | null =>
    value === undefined ? null : Number(value)
  await transaction.run(
    `UPDATE accounts SET is_admin = COALESCE(?, is_admin), may_create = COALESCE(?, may_create),
       is_disabled = COALESCE(?, is_disabled), description = COALESCE(?, description), updated_at = ? WHERE id = ?`,
    [
      flag(changes.isAdmin),
      flag(changes.mayCreate),
      flag(changes.isDisabled),
      changes.description ?? null,
      now,
      id,
    ],
  )
  await disableForeignWebhooks(transaction, id)
  await keepAnAdministrator(transaction)
  await bumpGeneration(transaction)
}

/** Removes an account with its tokens, roles and grants. */
export async function deleteAccount(transaction: Transaction, id: number): Promise<void> {
  await disableForeignWebhooks(transaction, id, { isGone: true })
  await transaction.run('DELETE FROM access_tokens WHERE account_id = ?', [id])
  await transaction.run('DELETE FROM namespace_members WHERE account_id = ?', [id])
  await transaction.run("DELETE FROM grants WHERE subject = 'account' AND account_id = ?", [id])
  await transaction.run('DELETE FROM accounts WHERE id = ?', [id])
  await keepAnAdministrator(transaction)
  await bumpGeneration(transaction)
}

async function keepAnAdministrator(transaction: Transaction): Promise<void> {
  // Two administrators who remove each other at the same time must not both succeed.
  const lock = transaction.engine === 'postgres' ? ' FOR UPDATE' : ''
  const left = await transaction.all(
    `SELECT id FROM accounts WHERE is_admin = 1 AND is_disabled = 0 ORDER BY id${lock}`,
  )
  if (left.length > 0) return
  throw new Refusal(409, 'CONFLICT', 'the registry needs an administrator: name another one first')
}

function accountOf(row: AccountRow): Account {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    namespace: row.namespace ?? undefined,
    description: row.description,
    isAdmin: row.is_admin === 1,
    mayCreate: row.may_create === 1,
    isDisabled: row.is_disabled === 1,
    // One engine says 1, the other true.
    hasPassword: Boolean(row.has_password),
    issuer: row.issuer ?? undefined,
    createdAt: row.created_at,
  }
}
