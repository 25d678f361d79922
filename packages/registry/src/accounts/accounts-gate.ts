import type { Gate, Need, Visitor } from '../access.ts'
import type { AddressOf } from '../address.ts'
import type { Database } from '../database/database.ts'
import type { RegistryRequest } from '../http.ts'
import { answerHubLogin } from '../hub/hub-login.ts'
import { Refusal } from '../refusal.ts'
import { type Authenticator, readBasic } from './authenticator.ts'
import { type Identity, mayDo } from './identity.ts'
import { maySomewhere } from './open-namespace.ts'
import type { RightsReader } from './rights-reader.ts'
import { isAllowed } from './rights.ts'
import { answerTokenRequest, type TokenServerOptions } from './token-server.ts'

export interface AccountsGateOptions extends TokenServerOptions {
  readonly database: Database
  readonly authenticator: Authenticator
  readonly rights: RightsReader
  readonly service: string
  readonly addressOf: AddressOf
}

const tokenPath = '/token'

/** Somebody whose account and rights are known. */
interface AccountVisitor extends Visitor {
  readonly identity: Identity
}

export interface AccountsGate extends Gate {
  admit(request: RegistryRequest, need: Need): Promise<AccountVisitor>
}

/**
 * Lets in by password, access token or signed token, whichever a client shows. What rights it has is looked up for
 * every request, also for tokens given out before.
 */
export function createAccountsGate(options: AccountsGateOptions): AccountsGate {
  const { authenticator, rights, tokens, service, addressOf } = options

  async function identify(request: RegistryRequest): Promise<Identity | undefined> {
    const header = request.header('authorization')
    if (header === undefined) {
      return { account: undefined, rights: await rights.anonymous(), scopes: undefined }
    }
    const credentials = readBasic(header)
    if (credentials !== undefined) return authenticator.logIn(credentials, request.client)
    // Clients of Docker Hub's API say JWT.
    const [, token] = /^(?:bearer|jwt) (\S+)$/i.exec(header) ?? []
    if (token === undefined) return undefined
    return (await authenticator.byBearer(token)) ?? identifyBySignedToken(token)
  }

  async function identifyBySignedToken(text: string): Promise<Identity | undefined> {
    const claims = await tokens.read(text)
    if (claims === undefined) return undefined
    const { access, uid, tid, sub } = claims
    if (uid === undefined) {
      return { account: undefined, rights: await rights.anonymous(), scopes: undefined, access }
    }
    const holder = await rights.holder(uid)
    const token = tid === undefined ? undefined : await rights.token(tid)
    if (holder === undefined || holder.account.name !== sub) return undefined
    if (tid !== undefined && token?.accountID !== uid) return undefined
    return { ...holder, scopes: token?.scopes ?? claims.scopes, tokenID: tid, access }
  }

  /** What was shown is not asked for again: a token may run out while a large blob is on its way. */
  async function admitAgain(was: Identity, need: Need): Promise<void> {
    const { account, tokenID } = was
    const isRevoked = tokenID !== undefined && (await rights.token(tokenID)) === undefined
    const is =
      account === undefined ? { rights: await rights.anonymous() } : await rights.holder(account.id)
    if (isRevoked || is === undefined || !(await mayEnter(options, { ...was, ...is }, need)))
      throw denied()
  }

  function challenge(request: RegistryRequest, need: Need, reason: string): Refusal {
    const scope = scopeOf(need)
    return new Refusal(401, 'UNAUTHORIZED', 'authentication required', {
      headers: {
        'www-authenticate':
          `Bearer realm="${addressOf(request)}${tokenPath}",service="${service}"` +
          (scope === '' ? '' : `,scope="${scope}"`) +
          (reason === '' ? '' : `,error="${reason}"`),
      },
    })
  }

  return {
    async admit(request, need) {
      let identity = await identify(request)
      let isAdmitted = await mayEnter(options, identity, need)
      if (!isAdmitted && (await rights.renew())) {
        identity = await identify(request)
        isAdmitted = await mayEnter(options, identity, need)
      }
      if (identity === undefined) throw challenge(request, need, 'invalid_token')
      if (isAdmitted) {
        if (lacksSource(identity, need)) throw challenge(request, need, 'insufficient_scope')
        return { ...visitorOf(identity, need), admitAgain: () => admitAgain(identity, need) }
      }
      // A client with a signed token gets another one for the scope; one without needs credentials.
      if (identity.access !== undefined) throw challenge(request, need, 'insufficient_scope')
      if (identity.account === undefined) throw challenge(request, need, '')
      throw denied()
    },
    async handle(request) {
      if (request.path === tokenPath) return answerTokenRequest(request, options)
      return answerHubLogin(request, options)
    },
  }
}

async function mayEnter(
  options: AccountsGateOptions,
  identity: Identity | undefined,
  need: Need,
): Promise<boolean> {
  if (identity === undefined) return false
  return mayDo(identity, need) || mayOpen(options, identity, need)
}

/** Whether somebody may push, and look before, because the namespace is nobody's yet. */
async function mayOpen(
  { database, isUpstreams }: AccountsGateOptions,
  identity: Identity,
  need: Need,
): Promise<boolean> {
  if (typeof need === 'string' || 'namespace' in need) return false
  for (const action of need.actions) {
    if (!(await maySomewhere(database, identity, need.repository, action, isUpstreams)))
      return false
  }
  return true
}

/** Who may mount from there, but got a token without saying so, gets another one: else the blob would be sent again. */
function lacksSource(identity: Identity, need: Need): boolean {
  if (typeof need === 'string' || 'namespace' in need || need.from === undefined) return false
  const source: Need = { repository: need.from, actions: ['pull'] }
  return !mayDo(identity, source) && mayDo({ ...identity, access: undefined }, source)
}

function visitorOf(identity: Identity, admitted: Need): AccountVisitor {
  const { account, rights, scopes, access } = identity
  return {
    account: account?.name,
    identity,
    mayGrant: account?.kind === 'person' && scopes === undefined && access === undefined,
    may: (need) => need === admitted || mayDo(identity, need),
    // A list is one scope for all repositories; which of them are shown follows from the rights.
    maySee: (repository) => isAllowed(rights, scopes, repository, 'pull'),
  }
}

function denied(): Refusal {
  return new Refusal(403, 'DENIED', 'requested access to the resource is denied')
}

function scopeOf(need: Need): string {
  if (need === 'search') return 'registry:catalog:search'
  if (need === 'catalog') return 'registry:catalog:*'
  if (typeof need === 'string' || 'namespace' in need) return ''
  const asked = need.actions.filter((action) => action !== 'admin')
  const source = need.from === undefined ? '' : ` repository:${need.from}:pull`
  return `repository:${need.repository}:${asked.join(',')}${source}`
}
