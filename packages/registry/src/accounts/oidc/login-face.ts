import type { HttpTransport } from '@katman/remote'
import type { Configuration } from 'openid-client'
import type { AddressOf } from '../../address.ts'
import type { Database } from '../../database/database.ts'
import type { Face } from '../../face.ts'
import type { RegistryRequest, RegistryResponse } from '../../http.ts'
import { Refusal } from '../../refusal.ts'
import type { LoginOptions } from '../access-options.ts'
import { findAccountBySubject } from '../account-store.ts'
import { writeAudit } from '../audit-log.ts'
import { createPerson } from '../create-person.ts'
import { FailedLogins } from '../failed-logins.ts'
import { isAccountName } from '../names.ts'
import { createToken } from '../token-store.ts'
import { tooMany } from '../too-many.ts'
import { fitsClaims } from './claims.ts'
import { donePage, failedPage } from './login-page.ts'
import { beginLogin, loginSeconds, takeLogin } from './login-store.ts'
import { discoverProvider } from './provider-client.ts'

interface LoginFaceOptions {
  readonly login: LoginOptions
  readonly database: Database
  readonly transport: HttpTransport
  readonly addressOf: AddressOf
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly warn: (line: string) => void
}

const cookieName = 'katman_login'
const startPath = '/login'
const callbackPath = '/login/callback'
const maxBegunByClient = 200

/**
 * `/login`: people log in at an OpenID Connect provider (authorisation code with PKCE) and get an access token of a few hours for
 * `docker login`. The cookie only ties the answer to the browser that asked; nothing else takes it.
 */
export function createLoginFace(options: LoginFaceOptions): Face {
  const { login, database, transport, addressOf, now, warn } = options
  const begun = new FailedLogins(maxBegunByClient)
  let provider: Promise<Configuration> | undefined

  async function connect(): Promise<Configuration> {
    provider ??= discoverProvider(login, transport)
    try {
      return await provider
    } catch (error) {
      provider = undefined
      throw error
    }
  }

  async function begin(request: RegistryRequest): Promise<RegistryResponse> {
    // One client must not take the room of all that begin.
    const wait = begun.secondsToWait(request.client, now())
    if (wait !== undefined) throw tooMany(wait)
    begun.add(request.client, now())
    const client = await import('openid-client')
    const configuration = await connect()
    const redirectUri = `${addressOf(request)}${callbackPath}`
    const [verifier, state, nonce] = [
      client.randomPKCECodeVerifier(),
      client.randomState(),
      client.randomNonce(),
    ]
    const secret = await beginLogin(database, { state, nonce, verifier, redirectUri }, now())
    const target = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: `openid ${login.scope ?? 'profile email'}`,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    const secure = redirectUri.startsWith('https:') ? '; Secure' : ''
    return {
      status: 302,
      headers: {
        location: target.href,
        'cache-control': 'no-store',
        'set-cookie': `${cookieName}=${secret}; Path=${startPath}; Max-Age=${loginSeconds}; HttpOnly; SameSite=Lax${secure}`,
      },
    }
  }

  async function finish(request: RegistryRequest): Promise<RegistryResponse> {
    const secret = readCookie(request)
    const taken = secret === undefined ? undefined : await takeLogin(database, secret, now())
    if (taken === undefined)
      return failedPage(400, 'This login did not begin here, or too long ago.')
    const client = await import('openid-client')
    const configuration = await connect()
    const target = new URL(taken.redirectUri)
    target.search = request.query.toString()
    let claims: Readonly<Record<string, unknown>>
    let subject: string
    try {
      const tokens = await client.authorizationCodeGrant(configuration, target, {
        pkceCodeVerifier: taken.verifier,
        expectedState: taken.state,
        expectedNonce: taken.nonce,
        idTokenExpected: true,
      })
      const said = tokens.claims()
      if (said === undefined) return failedPage(403, 'The provider did not confirm the login.')
      subject = said.sub
      // Many say in the ID token who it is, and the rest only when asked.
      const hasMore = configuration.serverMetadata().userinfo_endpoint !== undefined
      claims = hasMore
        ? {
            ...(await client.fetchUserInfo(configuration, tokens.access_token, subject)),
            ...said,
          }
        : said
    } catch (error) {
      warn(`login: ${error instanceof Error ? error.message : String(error)}`)
      return failedPage(403, 'The provider did not confirm the login.')
    }
    if (!fitsClaims(login.claims ?? {}, claims)) {
      return failedPage(403, 'You may not use this registry.')
    }
    const { host } = target
    return admit({ subject, claims, client: request.client, host })
  }

  async function admit({ subject, claims, client, host }: Confirmed): Promise<RegistryResponse> {
    const name = accountName(claims[login.nameClaim ?? 'preferred_username'])
    const at = now()
    const hours = login.tokenHours ?? 12
    return database.transaction(async (transaction) => {
      const known = await findAccountBySubject(transaction, login.issuer, subject)
      if (known === undefined && name === undefined) {
        return failedPage(403, 'The provider gives no name that an account can have.')
      }
      if (known?.isDisabled === true) return failedPage(403, 'You may not use this registry.')
      const account =
        known ??
        (await createPerson(transaction, { name: name ?? '', issuer: login.issuer, subject }, at))
      const { secret } = await createToken(
        transaction,
        {
          accountID: account.id,
          kind: 'login',
          name: 'login',
          expiresAt: at + hours * 3600_000,
        },
        at,
      )
      await writeAudit(transaction, {
        at,
        actor: account.name,
        client,
        action: 'login',
        target: login.issuer,
        result: 'done',
      })
      return donePage({ account: account.name, token: secret, hours, host })
    })
  }

  return async (request) => {
    if (request.path !== startPath && request.path !== callbackPath) return undefined
    if (request.method !== 'GET') {
      throw new Refusal(405, 'UNSUPPORTED', 'use GET', { headers: { allow: 'GET' } })
    }
    try {
      return request.path === startPath ? await begin(request) : await finish(request)
    } catch (error) {
      // Never an account of somebody else, whatever the provider calls people.
      if (error instanceof Refusal && error.status === 409) {
        return failedPage(409, 'The name of your account is taken here. Ask the administrator.')
      }
      if (error instanceof Refusal) throw error
      warn(`login: ${error instanceof Error ? error.message : String(error)}`)
      return failedPage(502, 'The provider cannot be reached.')
    }
  }
}

interface Confirmed {
  readonly subject: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly client: string | undefined
  readonly host: string
}

/** `Ayse.Yilmaz@example.org` is `ayse.yilmaz`. Undefined when no account can be called so. */
function accountName(claim: unknown): string | undefined {
  if (typeof claim !== 'string') return undefined
  const name = (claim.split('@')[0] ?? '').toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-')
  return isAccountName(name) ? name : undefined
}

function readCookie(request: RegistryRequest): string | undefined {
  const header = (request.header('cookie') ?? '').slice(0, 8192)
  for (const pair of header.split(';')) {
    const [name, value = ''] = pair.trim().split('=')
    if (name === cookieName && /^[\w-]{43}$/.test(value)) return value
  }
  return undefined
}
