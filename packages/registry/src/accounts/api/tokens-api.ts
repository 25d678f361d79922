import { json } from '../../http.ts'
import { type Account, findAccount } from '../account-store.ts'
import { completeActions, type Scope } from '../rights.ts'
import { type AccessToken, createToken, deleteToken, listTokens } from '../token-store.ts'
import {
  type Call,
  change,
  denied,
  type Handler,
  notFound,
  readBody,
  requireOwner,
  requireSystem,
  timeText,
} from './call.ts'
import { newToken } from './schemas.ts'

/** `GET /api/v1/accounts/NAME/tokens`, and of a robot. */
export const listOwnTokens: Handler = async (call) => {
  const account = await findHolder(call)
  return json(200, { tokens: (await listTokens(call.database, account.id)).map(showToken) })
}

/**
 * `POST /api/v1/accounts/NAME/tokens`: the answer has the token, for the only time. One's own lasts no longer than what was shown
 * to make it.
 */
export const addToken: Handler = async (call) => {
  const account = await findHolder(call)
  // Who makes tokens for another person could be that person.
  if (account.kind === 'person' && account.id !== call.account.id) throw denied()
  const { name, scopes, expires_in } = await readBody(call, newToken)
  const wanted = expires_in === undefined ? undefined : call.now + expires_in * 1000
  const expiresAt = account.kind === 'robot' ? wanted : earlier(wanted, call.identity.expiresAt)
  const entry = { action: 'token.create', target: account.name, detail: name }
  const { id, secret } = await change(call, entry, (transaction) =>
    createToken(
      transaction,
      { accountID: account.id, kind: 'personal', name, scopes: scopes?.map(scopeOf), expiresAt },
      call.now,
    ),
  )
  return json(
    201,
    { id, name, token: secret, expires_at: timeText(expiresAt) },
    { 'cache-control': 'no-store' },
  )
}

/** `DELETE /api/v1/accounts/NAME/tokens/ID` */
export const removeToken: Handler = async (call) => {
  const account = await findHolder(call)
  const [, id = ''] = call.names
  const entry = { action: 'token.delete', target: account.name, detail: id }
  await change(call, entry, async (transaction) => {
    if (!(await deleteToken(transaction, account.id, id))) throw notFound('such token')
  })
  return { status: 204 }
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  const time = Math.min(one ?? Infinity, other ?? Infinity)
  return time === Infinity ? undefined : time
}

function scopeOf({ repository, actions }: GivenScope): Scope {
  return { pattern: repository, actions: completeActions(actions) }
}

interface GivenScope {
  readonly repository: string
  readonly actions: Scope['actions']
}

/** Oneself; a robot of one's namespace; anybody for an administrator. */
async function findHolder(call: Call): Promise<Account> {
  const [name = ''] = call.names
  if (call.account.kind === 'robot') throw denied()
  const [namespace = '', own] = name.split('+')
  if (own !== undefined) requireOwner(call, namespace)
  else if (name !== call.account.name) requireSystem(call)
  const account = await findAccount(call.database, name)
  if (account === undefined) throw notFound('such account')
  return account
}

function showToken(token: AccessToken): object {
  return {
    id: token.id,
    kind: token.kind,
    name: token.name,
    scopes: token.scopes?.map(({ pattern, actions }) => ({ repository: pattern, actions })) ?? null,
    created_at: timeText(token.createdAt),
    expires_at: timeText(token.expiresAt),
    last_used_at: timeText(token.lastUsedAt),
  }
}
