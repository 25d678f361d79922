import { type Gate, isNeedOfUser, type Policy, usersOnly } from './access.ts'
import { Passwords, type Users } from './passwords.ts'
import { Refusal } from './refusal.ts'

export interface BasicAuth {
  readonly kind: 'basic'
  readonly users: Users
  /** Default: users everything, others nothing. */
  readonly policy?: Policy
  /** Users who may administer the registry and its namespaces. Default: nobody. */
  readonly administrators?: readonly string[]
  /** What a client may show its user. Default `Registry`. */
  readonly realm?: string
}

/** Asks for user and password with every request (RFC 7617). */
export function createBasicGate({
  users,
  policy = usersOnly,
  administrators = [],
  realm = 'Registry',
}: BasicAuth): Gate {
  const passwords = new Passwords(users)
  return {
    admit(request, need) {
      const header = request.header('authorization')
      const user = passwords.readBasic(header)
      const challenge = new Refusal(401, 'UNAUTHORIZED', 'authentication required', {
        headers: { 'www-authenticate': `Basic realm="${realm}", charset="UTF-8"` },
      })
      // Wrong credentials are refused even where none are needed: the client wants to know.
      if (header !== undefined && user === undefined) throw challenge
      const visitor = {
        account: user,
        may: (wanted: typeof need) => isNeedOfUser(wanted, user, { policy, administrators }),
        maySee: (repository: string) => policy(user, repository, 'pull'),
      }
      if (visitor.may(need)) return visitor
      if (user === undefined) throw challenge
      throw new Refusal(403, 'DENIED', 'requested access to the resource is denied')
    },
  }
}
