import { type Action, type Policy } from './access.ts'
import type { Grant, TokenSigner } from './access-token.ts'
import { json, type RegistryRequest, type RegistryResponse } from './http.ts'
import type { Passwords } from './passwords.ts'
import { readForm } from './read-body.ts'
import { Refusal } from './refusal.ts'
import { isRepositoryName } from './route.ts'

export interface TokenEndpointOptions {
  readonly passwords: Passwords
  readonly policy: Policy
  readonly signer: TokenSigner
  readonly service: string
  readonly lifetimeSeconds: number
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const maxScopes = 100
const allActions: readonly Action[] = ['pull', 'push', 'delete']

/**
 * The token endpoint: `GET` with basic credentials or none, or `POST` with `grant_type=password`. It grants
 * what of the wanted scopes the user may have, and refuses only wrong credentials.
 */
export async function answerTokenRequest(
  request: RegistryRequest,
  options: TokenEndpointOptions,
): Promise<RegistryResponse> {
  const { passwords, policy, signer, service, lifetimeSeconds, now } = options
  const asked = request.method === 'POST' ? await readForm(request) : request.query
  const user = authenticate(request, asked, passwords)
  const scopes = asked
    .getAll('scope')
    .flatMap((text) => text.split(' '))
    .slice(0, maxScopes)
  const token = signer.sign({
    sub: user ?? '',
    aud: service,
    exp: Math.floor(now() / 1000) + lifetimeSeconds,
    access: scopes.flatMap((scope) => grantOf(scope, user, policy)),
  })
  return json(
    200,
    {
      token,
      access_token: token,
      expires_in: lifetimeSeconds,
      issued_at: new Date(now()).toISOString(),
    },
    { 'cache-control': 'no-store' },
  )
}

function authenticate(
  request: RegistryRequest,
  asked: URLSearchParams,
  passwords: Passwords,
): string | undefined {
  if (request.method === 'POST') {
    if (asked.get('grant_type') !== 'password') {
      throw new Refusal(400, 'UNSUPPORTED', 'only grant_type=password is supported')
    }
    const user = passwords.check(asked.get('username') ?? '', asked.get('password') ?? '')
    if (user === undefined) throw wrongCredentials()
    return user
  }
  if (request.method !== 'GET') throw new Refusal(405, 'UNSUPPORTED', 'use GET or POST')
  const header = request.header('authorization')
  const user = passwords.readBasic(header)
  if (header !== undefined && user === undefined) throw wrongCredentials()
  return user
}

/** `repository:NAME:ACTION,...` or `registry:catalog:*`, cut down to what the user may do. */
function grantOf(scope: string, user: string | undefined, policy: Policy): readonly Grant[] {
  const [type, last] = [scope.indexOf(':'), scope.lastIndexOf(':')]
  const kind = scope.slice(0, Math.max(0, type))
  const name = scope.slice(type + 1, Math.max(type + 1, last))
  if (kind === 'registry' && name === 'catalog') {
    return user === undefined ? [] : [{ type: kind, name, actions: ['*'] }]
  }
  if (kind !== 'repository' || !isRepositoryName(name)) return []
  const wanted = new Set(scope.slice(last + 1).split(','))
  const actions = allActions.filter(
    (action) => (wanted.has(action) || wanted.has('*')) && policy(user, name, action),
  )
  return actions.length === 0 ? [] : [{ type: kind, name, actions }]
}

function wrongCredentials(): Refusal {
  return new Refusal(401, 'UNAUTHORIZED', 'incorrect username or password', {
    headers: { 'www-authenticate': 'Basic realm="Registry", charset="UTF-8"' },
  })
}
