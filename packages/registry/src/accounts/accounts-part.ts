import { addressAsked } from '../address.ts'
import type { Foundation, Part } from '../part.ts'
import { createAccountsGate } from './accounts-gate.ts'
import { createApiFace } from './api/api-face.ts'
import { Authenticator } from './authenticator.ts'
import { openNamespaces } from './open-namespace.ts'
import { PasswordHasher } from './password-hash.ts'
import { RightsReader } from './rights-reader.ts'
import { SignedTokens } from './signed-token.ts'
import { SigningKeys } from './signing-keys.ts'

const minTokenSeconds = 60
const defaultTokenSeconds = 300

/** Accounts and rights: who may do what, the token server, and namespaces. */
export function openAccounts({ database, options, now }: Foundation): Part {
  const listeners = [openNamespaces]
  if (options.isOpen === true) return { listeners }
  const { service = 'katman', tokenSeconds = defaultTokenSeconds } = options.access ?? {}
  const { publicUrl } = options
  const rights = new RightsReader(database, now)
  const hasher = new PasswordHasher()
  const gate = createAccountsGate({
    database,
    authenticator: new Authenticator({ database, rights, now, hasher }),
    rights,
    tokens: new SignedTokens({ keys: new SigningKeys(database, now), service, now }),
    service,
    lifetimeSeconds: Math.max(minTokenSeconds, tokenSeconds),
    now,
    addressOf: publicUrl === undefined ? addressAsked('http://localhost') : (): string => publicUrl,
  })
  return {
    listeners,
    gate,
    faces: [createApiFace({ database, hasher, now })],
  }
}
