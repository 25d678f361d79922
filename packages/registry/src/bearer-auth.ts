import { type Gate, type Need, type Policy, usersOnly } from './access.ts'
import type { AddressOf } from './address.ts'
import { createTokenSigner, type TokenClaims } from './access-token.ts'
import { Passwords, type Users } from './passwords.ts'
import { Refusal } from './refusal.ts'
import { answerTokenRequest } from './token-endpoint.ts'

export interface BearerAuth {
  readonly kind: 'bearer'
  readonly users: Users
  /** Default: users everything, others nothing. */
  readonly policy?: Policy
  /** The name in the challenge and in the tokens. Default `Registry`. */
  readonly service?: string
  /** Default 300, at least 60. */
  readonly lifetimeSeconds?: number
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number
}

const tokenPath = '/token'

/** Asks for a token of its own endpoint, `/token` of the address (distribution's token authentication). */
export function createBearerGate(auth: BearerAuth, addressOf: AddressOf): Gate {
  const { policy = usersOnly, service = 'Registry', now = Date.now } = auth
  const signer = createTokenSigner()
  const endpoint = {
    passwords: new Passwords(auth.users),
    policy,
    signer,
    service,
    lifetimeSeconds: Math.max(60, auth.lifetimeSeconds ?? 300),
    now,
  }

  function readToken(header: string | undefined): TokenClaims | undefined {
    const [, token] = /^bearer (\S+)$/i.exec(header ?? '') ?? []
    const claims = token === undefined ? undefined : signer.read(token)
    const isValid = claims?.aud === service && claims.exp * 1000 > now()
    return isValid ? claims : undefined
  }

  return {
    admit(request, need) {
      const header = request.header('authorization')
      // docker's search knows passwords only.
      const searcher = need === 'search' ? endpoint.passwords.readBasic(header) : undefined
      if (searcher !== undefined) {
        return {
          account: searcher,
          may: (wanted) => wanted === 'search',
          maySee: (repository) => policy(searcher, repository, 'pull'),
        }
      }
      const claims = readToken(header)
      const reason =
        header === undefined ? '' : claims === undefined ? 'invalid_token' : 'insufficient_scope'
      if (claims !== undefined && allows(claims, need)) {
        const user = claims.sub === '' ? undefined : claims.sub
        return {
          account: user,
          may: (wanted) => allows(claims, wanted),
          maySee: (repository) => policy(user, repository, 'pull'),
        }
      }
      throw new Refusal(401, 'UNAUTHORIZED', 'authentication required', {
        headers: {
          'www-authenticate':
            `Bearer realm="${addressOf(request)}${tokenPath}",service="${service}"` +
            scopeOf(need) +
            (reason === '' ? '' : `,error="${reason}"`),
        },
      })
    },
    async handle(request) {
      return request.path === tokenPath ? answerTokenRequest(request, endpoint) : undefined
    },
  }
}

function allows({ access }: TokenClaims, need: Need): boolean {
  if (need === 'login') return true
  if (need === 'catalog' || need === 'search') {
    return access.some(({ type, name }) => type === 'registry' && name === 'catalog')
  }
  // These tokens are for clients of the distribution API: they administer nothing.
  if (need === 'system' || 'namespace' in need) return false
  return need.actions.every((action) =>
    access.some(
      (grant) =>
        grant.type === 'repository' &&
        grant.name === need.repository &&
        grant.actions.includes(action),
    ),
  )
}

function scopeOf(need: Need): string {
  if (need === 'search') return ',scope="registry:catalog:search"'
  if (need === 'catalog') return ',scope="registry:catalog:*"'
  if (typeof need === 'string' || 'namespace' in need) return ''
  return `,scope="repository:${need.repository}:${need.actions.join(',')}"`
}
