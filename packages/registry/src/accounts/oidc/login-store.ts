import { createHash, randomBytes } from 'node:crypto'
import type { Database } from '../../database/database.ts'
import { tooMany } from '../too-many.ts'

/** A login that has begun: what must come back from the provider, and to which browser. */
export interface BegunLogin {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly redirectUri: string
}

export const loginSeconds = 10 * 60
const maxBegun = 10_000

interface LoginRow {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly redirect_uri: string
}

/** Remembers it and gives the secret for the browser. @throws Refusal 429 when very many have begun. */
export async function beginLogin(
  database: Database,
  { state, nonce, verifier, redirectUri }: BegunLogin,
  now: number,
): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  await database.transaction(
    async (transaction) => {
      await transaction.run('DELETE FROM oidc_logins WHERE created_at < ?', [
        now - loginSeconds * 1000,
      ])
      const row = await transaction.get<{ readonly count: number }>(
        'SELECT count(*) AS count FROM oidc_logins',
      )
      if ((row?.count ?? 0) >= maxBegun) throw tooMany(60)
      await transaction.run(
        'INSERT INTO oidc_logins (id, state, nonce, verifier, redirect_uri, created_at) VALUES (?, ?, ?, ?, ?, ?)',
        [hash(secret), state, nonce, verifier, redirectUri, now],
      )
    },
    { isDurable: false },
  )
  return secret
}

/** What was remembered, for the only time; undefined when there is nothing or it is too old. */
export async function takeLogin(
  database: Database,
  secret: string,
  now: number,
): Promise<BegunLogin | undefined> {
  const row = await database.transaction((transaction) =>
    transaction.get<LoginRow>(
      'DELETE FROM oidc_logins WHERE id = ? AND created_at >= ? RETURNING state, nonce, verifier, redirect_uri',
      [hash(secret), now - loginSeconds * 1000],
    ),
  )
  return (
    row && {
      state: row.state,
      nonce: row.nonce,
      verifier: row.verifier,
      redirectUri: row.redirect_uri,
    }
  )
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
