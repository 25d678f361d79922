import type { HttpTransport } from '@katman/remote'
import type { WorkloadIssuer } from '../access-options.ts'
import type { VerifyForeignToken } from '../authenticator.ts'
import { completeActions } from '../rights.ts'
import { fitsClaims } from './claims.ts'
import { IssuerKeys } from './issuer-keys.ts'

interface WorkloadOptions {
  readonly issuers: readonly WorkloadIssuer[]
  readonly transport: HttpTransport
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly warn: (line: string) => void
}

/** Asymmetric only: with a shared secret the public key would be one. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
]
const skewSeconds = 30

/**
 * Checks tokens that platforms (GitHub Actions, GitLab, Kubernetes) give their workloads: signature by the keys of the
 * configured issuer, audience, times, and claims; then they stand for an account.
 */
export function createWorkloadVerifier({
  issuers,
  transport,
  now,
  warn,
}: WorkloadOptions): VerifyForeignToken {
  const known = new Map(
    issuers.map((options) => [
      options.issuer,
      { options, keys: new IssuerKeys({ issuer: options.issuer, transport, now }) },
    ]),
  )
  return async (token) => {
    const { decodeJwt, errors, jwtVerify } = await import('jose')
    let found
    try {
      // Not trusted yet: it only says whose keys to try.
      found = known.get(decodeJwt(token).iss ?? '')
    } catch {
      return undefined
    }
    if (found === undefined) return undefined
    const { options, keys } = found
    try {
      const { payload } = await jwtVerify(token, keys.find, {
        issuer: options.issuer,
        audience: options.audience,
        algorithms,
        clockTolerance: skewSeconds,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(now()),
      })
      const identity = options.identities.find(({ claims }) => fitsClaims(claims, payload))
      return (
        identity && {
          account: identity.account,
          expiresAt: (payload.exp ?? 0) * 1000,
          ...(identity.scopes === undefined
            ? {}
            : {
                scopes: identity.scopes.map(({ repository, actions }) => ({
                  pattern: repository,
                  actions: completeActions(actions),
                })),
              }),
        }
      )
    } catch (error) {
      // What is wrong with a token is the client's; that the issuer cannot be reached is ours to know.
      if (!(error instanceof errors.JOSEError)) {
        warn(`workload identity: ${error instanceof Error ? error.message : String(error)}`)
      }
      return undefined
    }
  }
}
