import type { Authenticator } from '../accounts/authenticator.ts'
import { createToken, type NewToken } from '../accounts/token-store.ts'
import type { Database } from '../database/database.ts'
import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { readJsonFields } from '../json-fields.ts'
import { Refusal } from '../refusal.ts'

const lifetimeMs = 3600 * 1000
const limitBytes = 16 * 1024

/**
 * Docker Hub's two ways to log in: `POST /v2/users/login` (username, password → token) and `POST /v2/auth/token` (identifier, secret
 * → access_token). What they answer may do what the credentials may, for an hour, and ends with them. Undefined for other paths.
 */
export async function answerHubLogin(
  request: RegistryRequest,
  {
    database,
    authenticator,
    now,
  }: {
    readonly database: Database
    readonly authenticator: Authenticator
    readonly now: () => number
  },
): Promise<RegistryResponse | undefined> {
  const path = request.path.replace(/\/$/, '')
  if (path !== '/v2/users/login' && path !== '/v2/auth/token') return undefined
  if (request.method !== 'POST') {
    throw new Refusal(405, 'UNSUPPORTED', 'use POST', { headers: { allow: 'POST' } })
  }
  const isOld = path === '/v2/users/login'
  const [user, secret] = isOld ? await readOld(request) : await readNew(request)
  const failure = { detail: 'Incorrect authentication credentials', message: 'unauthorized' }
  if (user === undefined || secret === undefined) return json(401, failure)
  try {
    const { account, scopes, tokenID, expiresAt } = await authenticator.logIn(
      { user, secret },
      request.client,
    )
    if (account === undefined) return json(401, failure)
    const token: NewToken = {
      accountID: account.id,
      kind: 'login',
      name: "by Docker Hub's login",
      scopes,
      parent: tokenID,
      expiresAt: Math.min(now() + lifetimeMs, expiresAt ?? Infinity),
    }
    const made = await database.transaction((transaction) => createToken(transaction, token, now()))
    return json(200, isOld ? { token: made.secret } : { access_token: made.secret }, {
      'cache-control': 'no-store',
    })
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return json(401, failure)
    throw error
  }
}

type Credentials = readonly [string | undefined, string | undefined]

async function readOld(request: RegistryRequest): Promise<Credentials> {
  const fields = await readJsonFields(request, { keys: ['username', 'password'], limitBytes })
  return [fields.string('username', 300), fields.string('password', 10_000)]
}

async function readNew(request: RegistryRequest): Promise<Credentials> {
  const fields = await readJsonFields(request, { keys: ['identifier', 'secret'], limitBytes })
  return [fields.string('identifier', 300), fields.string('secret', 10_000)]
}
