import type { HttpTransport } from '@katman/remote'
import { type AddressOf, addressAsked } from '../address.ts'
import type { Face } from '../face.ts'
import type { JobKind } from '../jobs/job.ts'
import { createGuardedTransport } from '../outbound/guarded-transport.ts'
import type { Foundation, Part } from '../part.ts'
import { type ForeignNames, readForeignNames } from '../proxy/foreign-names.ts'
import { createAccountsGate } from './accounts-gate.ts'
import { createApiFace } from './api/api-face.ts'
import { auditChanges } from './audit-changes.ts'
import { cutAudit } from './audit-log.ts'
import { Authenticator } from './authenticator.ts'
import { createHtpasswdGate } from './htpasswd.ts'
import { createLoginFace } from './oidc/login-face.ts'
import { createWorkloadVerifier } from './oidc/workload-identity.ts'
import { reserveNamespaces } from './namespace-store.ts'
import { openNamespaces } from './open-namespace.ts'
import { PasswordHasher } from './password-hash.ts'
import { RightsReader } from './rights-reader.ts'
import { SignedTokens } from './signed-token.ts'
import { SigningKeys } from './signing-keys.ts'
import { dropOldTokens } from './token-store.ts'

const minTokenSeconds = 60
const defaultTokenSeconds = 300
const defaultAuditDays = 365
const dayMs = 24 * 3600_000

/** Who may do what: nobody asks when the registry is open; else the users of a file, or accounts with rights. */
export async function openAccounts(foundation: Foundation): Promise<Part> {
  const { database, options, now, warn } = foundation
  // Also while it is open: it may not always be.
  const foreign = readForeignNames(options)
  if (foreign.namespaces.length > 0) {
    await database.transaction((tx) => reserveNamespaces(tx, foreign.namespaces, now()))
  }
  const listeners = [openNamespaces, auditChanges]
  const jobs = [cleanUp(foundation)]
  if (options.isOpen === true) return { listeners, jobs }
  const { htpasswd } = options.access ?? {}
  if (htpasswd !== undefined) {
    return { listeners, jobs, gate: await createHtpasswdGate(htpasswd, { now, warn }) }
  }
  return { listeners, jobs, ...openOwnAccounts(foundation, foreign) }
}

function openOwnAccounts(
  { database, options, now, warn }: Foundation,
  { isUpstreams }: ForeignNames,
): Part {
  const { service = 'katman', tokenSeconds = defaultTokenSeconds } = options.access ?? {}
  const { publicUrl, access } = options
  const rights = new RightsReader(database, now)
  const hasher = new PasswordHasher()
  const { workloads, login } = access ?? {}
  const addressOf: AddressOf =
    publicUrl === undefined ? addressAsked('http://localhost') : (): string => publicUrl
  let transport: HttpTransport | undefined
  const outside = (): HttpTransport =>
    (transport ??= createGuardedTransport({
      allow: [...(options.outbound?.allow ?? []), ...(options.outbound?.login ?? [])],
    }))
  const authenticator = new Authenticator({
    database,
    rights,
    now,
    hasher,
    verifyForeignToken:
      workloads === undefined
        ? undefined
        : createWorkloadVerifier({ issuers: workloads, transport: outside(), now, warn }),
  })
  const gate = createAccountsGate({
    database,
    authenticator,
    rights,
    tokens: new SignedTokens({ keys: new SigningKeys(database, now), service, now }),
    service,
    isUpstreams,
    lifetimeSeconds: Math.max(minTokenSeconds, tokenSeconds),
    now,
    addressOf,
  })
  const faces: Face[] = [createApiFace({ database, hasher, now })]
  if (login !== undefined) {
    faces.push(createLoginFace({ login, database, transport: outside(), addressOf, now, warn }))
  }
  return {
    gate,
    faces,
    async close() {
      await transport?.[Symbol.asyncDispose]()
    },
  }
}

/** Once a day: tokens that are over, and old entries of the audit log. */
function cleanUp({ database, options, now }: Foundation): JobKind {
  return {
    kind: 'accounts-clean-up',
    everyMs: dayMs,
    async run() {
      await dropOldTokens(database, now())
      await cutAudit(database, now() - (options.access?.auditDays ?? defaultAuditDays) * dayMs)
    },
  }
}
