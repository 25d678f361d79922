import type { Grant } from '../access-token.ts'
import type { Database } from '../database/database.ts'
import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { type Authenticator, readBasic, wrongCredentials } from './authenticator.ts'
import { type Identity, mayList } from './identity.ts'
import { maySomewhere } from './open-namespace.ts'
import { readForm } from '../read-body.ts'
import type { RightsReader } from './rights-reader.ts'
import { catalogGrant, readScopes } from './scopes.ts'
import type { SignedTokens } from './signed-token.ts'
import { isSecretToken } from './secret-token.ts'
import { createToken, findTokenBySecret, type NewToken, touchToken } from './token-store.ts'

export interface TokenServerOptions {
  readonly database: Database
  readonly authenticator: Authenticator
  readonly rights: RightsReader
  readonly tokens: SignedTokens
  /** Whether a repository of this name would be fetched from an upstream. */
  readonly isUpstreams: (repository: string) => boolean
  /** At least 60. */
  readonly lifetimeSeconds: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const refreshLifetimeMs = 90 * 24 * 3600_000
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/**
 * The token server of distribution's token authentication: `GET` with basic credentials or none, and its OAuth2
 * variant, `POST` with `grant_type` `password`, `refresh_token` or `urn:ietf:params:oauth:grant-type:jwt-bearer`
 * (RFC 7523: the token of a workload as `assertion`). Gives the part of the scopes that the account may have.
 */
export async function answerTokenRequest(
  request: RegistryRequest,
  options: TokenServerOptions,
): Promise<RegistryResponse> {
  if (request.method !== 'GET' && request.method !== 'POST') {
    throw new Refusal(405, 'UNSUPPORTED', 'use GET or POST', { headers: { allow: 'GET, POST' } })
  }
  const { database, rights, tokens, lifetimeSeconds, isUpstreams, now } = options
  // A token without a right that was just given would be of no use for all its life.
  await rights.renew()
  const isPost = request.method === 'POST'
  const asked = isPost ? await readForm(request) : request.query
  const { identity, refresh } = isPost
    ? await identifyByForm(request, asked, options)
    : { identity: await identifyByHeader(request, options), refresh: undefined }
  const access: Grant[] = []
  for (const scope of readScopes(asked.getAll('scope'))) {
    if (scope.kind === 'catalog') {
      if (mayList(identity)) access.push(catalogGrant())
      continue
    }
    const actions: Grant['actions'][number][] = []
    for (const action of scope.actions) {
      if (await maySomewhere(database, identity, scope.name, action, isUpstreams))
        actions.push(action)
    }
    if (actions.length > 0) access.push({ type: 'repository', name: scope.name, actions })
  }
  const { account, tokenID, scopes } = identity
  const token = await tokens.sign(
    {
      sub: account?.name ?? '',
      ...(account === undefined ? {} : { uid: account.id }),
      ...(tokenID === undefined ? {} : { tid: tokenID }),
      ...(tokenID === undefined && scopes !== undefined ? { scopes } : {}),
      access,
    },
    lifetimeSeconds,
  )
  return json(
    200,
    {
      token,
      access_token: token,
      token_type: 'Bearer',
      expires_in: lifetimeSeconds,
      issued_at: new Date(now()).toISOString(),
      ...(refresh === undefined ? {} : { refresh_token: refresh }),
    },
    { 'cache-control': 'no-store' },
  )
}

/**
 * docker asks with `offline_token=true`, too, but would then keep the refresh token instead of the password, which its
 * search and other clients that read its file could not use. Who wants one says so by `POST`.
 */
async function identifyByHeader(
  request: RegistryRequest,
  { authenticator, rights }: TokenServerOptions,
): Promise<Identity> {
  const header = request.header('authorization')
  if (header === undefined) {
    return { account: undefined, rights: await rights.anonymous(), scopes: undefined }
  }
  const credentials = readBasic(header)
  if (credentials === undefined) throw wrongCredentials()
  return authenticator.logIn(credentials, request.client)
}

async function identifyByForm(
  request: RegistryRequest,
  form: URLSearchParams,
  options: TokenServerOptions,
): Promise<{ readonly identity: Identity; readonly refresh: string | undefined }> {
  const text = (name: string): string => form.get(name) ?? ''
  const { authenticator, database, now } = options
  switch (form.get('grant_type')) {
    case 'password': {
      const credentials = { user: text('username'), secret: text('password') }
      const identity = await authenticator.logIn(credentials, request.client)
      return {
        identity,
        refresh: text('access_type') === 'offline' ? await makeRefresh() : undefined,
      }
      async function makeRefresh(): Promise<string | undefined> {
        // A workload's token ends soon, and so must all that was got by it.
        if (identity.tokenID === undefined && identity.expiresAt !== undefined) return undefined
        if (identity.account === undefined || identity.account.kind === 'robot') return undefined
        const token: NewToken = {
          accountID: identity.account.id,
          kind: 'refresh',
          name: text('client_id').slice(0, 64),
          scopes: identity.scopes,
          parent: identity.tokenID,
          expiresAt: now() + refreshLifetimeMs,
        }
        const made = await database.transaction((tx) => createToken(tx, token, now()))
        return made.secret
      }
    }
    case 'refresh_token': {
      const refresh = text('refresh_token')
      return { identity: await identifyByRefresh(refresh, options), refresh }
    }
    case jwtBearer:
      return {
        identity: await authenticator.logIn(
          { user: '', secret: text('assertion') },
          request.client,
        ),
        refresh: undefined,
      }
    default:
      throw new Refusal(400, 'UNSUPPORTED', `grant_type is password, refresh_token or ${jwtBearer}`)
  }
}

async function identifyByRefresh(
  secret: string,
  { database, rights, now }: TokenServerOptions,
): Promise<Identity> {
  const token = isSecretToken(secret) ? await findTokenBySecret(database, secret, now()) : undefined
  const holder = token?.kind === 'refresh' ? await rights.holder(token.accountID) : undefined
  if (token === undefined || holder === undefined) throw wrongCredentials()
  await touchToken(database, token, now())
  return { ...holder, scopes: token.scopes, tokenID: token.id }
}
