import type { Visitor } from '../../access.ts'
import type { Database } from '../../database/database.ts'
import type { Face } from '../../face.ts'
import { Refusal } from '../../refusal.ts'
import { FailedLogins } from '../failed-logins.ts'
import type { Identity } from '../identity.ts'
import type { PasswordHasher } from '../password-hash.ts'

interface ApiFaceOptions {
  readonly database: Database
  readonly hasher: PasswordHasher
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * The administration API, `/api/v1/`: accounts, tokens, robots, namespaces, grants, visibility, audit. Takes what
 * `Authorization` says and nothing else: no cookie, so no other site can use it.
 */
export function createApiFace({ database, hasher, now }: ApiFaceOptions): Face {
  const failed = new FailedLogins()
  return async (request, admit) => {
    if (!request.path.startsWith('/api/v1/')) return undefined
    const { answerApi } = await import('./answer.ts')
    const identify = async (): Promise<Identity> => identityOf(await admit('login'))
    const response = await answerApi(request, identify, {
      database,
      hasher,
      failed,
      now: now(),
    })
    if (response === undefined) return undefined
    return { ...response, headers: { 'cache-control': 'no-store', ...response.headers } }
  }
}

function identityOf(visitor: Visitor): Identity {
  // The gate of accounts says more about a visitor than others do.
  if ('identity' in visitor) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only that gate has it
    return visitor.identity as Identity
  }
  throw new Refusal(404, 'NOT_FOUND', 'this registry has no accounts')
}
