import type { Queries, Transaction } from '../database/database.ts'
import { Refusal } from '../refusal.ts'
import { bumpGeneration } from './generation.ts'
import type { Scope } from './rights.ts'
import { hashSecretToken, makeID, makeSecretToken } from './secret-token.ts'

/**
 * What stands for a password: made by a person, for a robot, at the end of an OIDC login, or given to a client that
 * asked for offline access.
 */
export interface AccessToken {
  /** By which it is named and revoked; no secret. */
  readonly id: string
  readonly accountID: number
  readonly kind: 'personal' | 'login' | 'refresh'
  readonly name: string
  /** Undefined: everything its account may do. */
  readonly scopes: readonly Scope[] | undefined
  readonly createdAt: number
  readonly expiresAt: number | undefined
  readonly lastUsedAt: number | undefined
}

export interface NewToken {
  readonly accountID: number
  readonly kind: AccessToken['kind']
  readonly name: string
  readonly scopes?: readonly Scope[] | undefined
  /**
   * The token by which this one was got: it lasts no longer than that, and ends with the one at the beginning, however many were
   * got by each other.
   */
  readonly parent?: string | undefined
  readonly expiresAt?: number | undefined
}

interface TokenRow {
  readonly id: string
  readonly account_id: number
  readonly kind: AccessToken['kind']
  readonly name: string
  readonly scopes: string | null
  readonly created_at: number
  readonly expires_at: number | null
  readonly last_used_at: number | null
}

/** How many tokens of one kind an account has at the most. */
const maxTokens = { personal: 1000, login: 100, refresh: 100 }

const columns = 'id, account_id, kind, name, scopes, created_at, expires_at, last_used_at'

/** What was got by a token is worth nothing without it, however the two were written. */
const isGood = `(expires_at IS NULL OR expires_at > ?) AND (parent IS NULL OR EXISTS
  (SELECT 1 FROM access_tokens AS root WHERE root.id = access_tokens.parent))`

/**
 * Makes a token. Its text is shown here and never again.
 *
 * @throws Refusal 409 when a person or a robot has a thousand; 401 when its parent is over.
 */
export async function createToken(
  transaction: Queries,
  token: NewToken,
  now: number,
): Promise<{ readonly id: string; readonly secret: string }> {
  await makeRoom(transaction, token)
  const { root, expiresAt } = await endOf(transaction, token, now)
  const [id, secret] = [makeID(), makeSecretToken()]
  await transaction.run(
    `INSERT INTO access_tokens (id, account_id, kind, name, hash, scopes, parent, created_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      id,
      token.accountID,
      token.kind,
      token.name,
      hashSecretToken(secret),
      token.scopes === undefined ? null : JSON.stringify(token.scopes),
      root ?? null,
      now,
      expiresAt ?? null,
    ],
  )
  return { id, secret }
}

/** When a token ends, and by which one. */
async function endOf(
  queries: Queries,
  { parent, expiresAt }: NewToken,
  now: number,
): Promise<{ readonly root?: string; readonly expiresAt: number | undefined }> {
  if (parent === undefined) return { expiresAt }
  const row = await queries.get<{
    readonly parent: string | null
    readonly expires_at: number | null
  }>(`SELECT parent, expires_at FROM access_tokens WHERE id = ? AND ${isGood}`, [parent, now])
  if (row === undefined) throw new Refusal(401, 'UNAUTHORIZED', 'the access token is over')
  const end = Math.min(expiresAt ?? Infinity, row.expires_at ?? Infinity)
  return { root: row.parent ?? parent, expiresAt: end === Infinity ? undefined : end }
}

/** What clients get by themselves drives out the oldest of its kind; what people make they also take away. */
async function makeRoom(transaction: Queries, { accountID, kind }: NewToken): Promise<void> {
  const most = maxTokens[kind]
  const rows = await transaction.all<{ readonly id: string }>(
    `SELECT id FROM access_tokens WHERE account_id = ? AND kind = ?
     ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?`,
    [accountID, kind, most, most - 1],
  )
  if (rows.length === 0) return
  if (kind === 'personal') {
    throw new Refusal(409, 'CONFLICT', `the account has ${most} tokens: revoke some first`)
  }
  for (const { id } of rows) {
    await transaction.run('DELETE FROM access_tokens WHERE id = ? OR parent = ?', [id, id])
  }
  await bumpGeneration(transaction)
}

/** By its text; undefined when there is none, or it is over. */
export async function findTokenBySecret(
  queries: Queries,
  secret: string,
  now: number,
): Promise<AccessToken | undefined> {
  const row = await queries.get<TokenRow>(
    `SELECT ${columns} FROM access_tokens WHERE hash = ? AND ${isGood}`,
    [hashSecretToken(secret), now],
  )
  return row && tokenOf(row)
}

export async function findToken(
  queries: Queries,
  id: string,
  now: number,
): Promise<AccessToken | undefined> {
  const row = await queries.get<TokenRow>(
    `SELECT ${columns} FROM access_tokens WHERE id = ? AND ${isGood}`,
    [id, now],
  )
  return row && tokenOf(row)
}

export async function listTokens(
  queries: Queries,
  accountID: number,
): Promise<readonly AccessToken[]> {
  const rows = await queries.all<TokenRow>(
    `SELECT ${columns} FROM access_tokens WHERE account_id = ? AND kind <> 'refresh' ORDER BY created_at, id`,
    [accountID],
  )
  return rows.map(tokenOf)
}

/** Whether there was such a token of the account. What was got by it ends too. */
export async function deleteToken(
  transaction: Transaction,
  accountID: number,
  id: string,
): Promise<boolean> {
  await transaction.run('DELETE FROM access_tokens WHERE account_id = ? AND parent = ?', [
    accountID,
    id,
  ])
  const count = await transaction.run('DELETE FROM access_tokens WHERE account_id = ? AND id = ?', [
    accountID,
    id,
  ])
  await bumpGeneration(transaction)
  return count > 0
}

/** Notes that a token was used, at most once a minute: reads must not become writes. */
export async function touchToken(
  queries: Queries,
  { id, lastUsedAt }: AccessToken,
  now: number,
): Promise<void> {
  if (lastUsedAt !== undefined && now - lastUsedAt < 60_000) return
  await queries.run('UPDATE access_tokens SET last_used_at = ? WHERE id = ?', [now, id])
}

/** Removes tokens that are over since a day. */
export async function dropOldTokens(queries: Queries, now: number): Promise<number> {
  return queries.run('DELETE FROM access_tokens WHERE expires_at < ?', [now - 24 * 3600_000])
}

function tokenOf(row: TokenRow): AccessToken {
  return {
    id: row.id,
    accountID: row.account_id,
    kind: row.kind,
    name: row.name,
    // Only createToken() writes it.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    scopes: row.scopes === null ? undefined : (JSON.parse(row.scopes) as readonly Scope[]),
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  }
}
