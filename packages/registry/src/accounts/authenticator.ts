import type { Database } from '../database/database.ts'
import { Refusal } from '../refusal.ts'
import { findAccount, readPassword } from './account-store.ts'
import { writeAudit } from './audit-log.ts'
import { FailedLogins } from './failed-logins.ts'
import type { Identity } from './identity.ts'
import type { PasswordHasher } from './password-hash.ts'
import type { RightsReader } from './rights-reader.ts'
import type { Scope } from './rights.ts'
import { isSecretToken } from './secret-token.ts'
import { findTokenBySecret, touchToken } from './token-store.ts'
import { tooMany } from './too-many.ts'
import { VerifiedPasswords } from './verified-passwords.ts'

/** Says which account a token of another issuer stands for; undefined when it is none to trust. */
export type VerifyForeignToken = (token: string) => Promise<ForeignIdentity | undefined>

interface ForeignIdentity {
  readonly account: string
  readonly scopes?: readonly Scope[]
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

interface AuthenticatorOptions {
  readonly database: Database
  readonly rights: RightsReader
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly hasher: PasswordHasher
  /** For workloads that show the token of their platform as a password. */
  readonly verifyForeignToken?: VerifyForeignToken | undefined
}

export interface Credentials {
  readonly user: string
  readonly secret: string
}

const maxSecretBytes = 8192

/** Finds out who somebody is by a name and a password, an access token, or the token of a workload. */
export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #verified = new VerifiedPasswords()
  readonly #failed = new FailedLogins()

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /**
   * @throws Refusal 401 for what is wrong, the same whatever it is; 429 when the client was wrong too often or too many try.
   */
  async logIn({ user, secret }: Credentials, client: string | undefined): Promise<Identity> {
    const { now } = this.#options
    const found = isSecretToken(secret)
      ? await this.#byToken(secret, user)
      : this.#isForeign(secret)
        ? await this.#byForeignToken(secret)
        : await this.#byPassword({ user, secret }, client)
    if (found !== undefined) return found
    const wait = this.#failed.secondsToWait(client, now())
    if (wait !== undefined) throw tooMany(wait)
    this.#failed.add(client, now())
    await this.#options.database.transaction(
      (transaction) =>
        writeAudit(transaction, {
          at: now(),
          client,
          action: 'login',
          // What was typed for a name may be a password.
          target: '',
          result: 'refused',
        }),
      { isDurable: false },
    )
    throw wrongCredentials()
  }

  /** By an access token alone; undefined when it is none. */
  async byBearer(secret: string): Promise<Identity | undefined> {
    return isSecretToken(secret) ? this.#byToken(secret, undefined) : undefined
  }

  async #byToken(secret: string, user: string | undefined): Promise<Identity | undefined> {
    const { database, rights, now } = this.#options
    const token = await findTokenBySecret(database, secret, now())
    if (token === undefined || token.kind === 'refresh') return undefined
    const holder = await rights.holder(token.accountID)
    if (holder === undefined || (user !== undefined && user !== holder.account.name)) {
      return undefined
    }
    await touchToken(database, token, now())
    const { id, scopes, expiresAt } = token
    return { ...holder, scopes, tokenID: id, expiresAt }
  }

  #isForeign(secret: string): boolean {
    return (
      this.#options.verifyForeignToken !== undefined &&
      /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(secret) &&
      secret.length <= maxSecretBytes
    )
  }

  async #byForeignToken(secret: string): Promise<Identity | undefined> {
    const { database, rights, verifyForeignToken } = this.#options
    const found = await verifyForeignToken?.(secret)
    if (found === undefined) return undefined
    const account = await findAccount(database, found.account)
    const holder = account && (await rights.holder(account.id))
    return holder && { ...holder, scopes: found.scopes, expiresAt: found.expiresAt }
  }

  async #byPassword(
    { user, secret }: Credentials,
    client: string | undefined,
  ): Promise<Identity | undefined> {
    const { database, rights, hasher, now } = this.#options
    if (Buffer.byteLength(secret) > maxSecretBytes) return undefined
    const account = await findAccount(database, user)
    const stored = account && (await readPassword(database, account.id))
    const isKnown = stored !== undefined && this.#verified.has(stored, secret, now())
    if (!isKnown) {
      // A client that guesses does not even cost the time to look.
      const wait = this.#failed.secondsToWait(client, now())
      if (wait !== undefined) throw tooMany(wait)
      if (!(await hasher.verify(secret, stored))) return undefined
      if (stored !== undefined) this.#verified.add(stored, secret, now())
    }
    const holder = account && (await rights.holder(account.id))
    return holder && { ...holder, scopes: undefined }
  }
}

/** Reads `Basic` credentials (RFC 7617); undefined when there are none to read. */
export function readBasic(header: string | undefined): Credentials | undefined {
  const [, encoded] = /^basic ([a-z0-9+/=]{1,16384})$/i.exec(header ?? '') ?? []
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon === -1 ? undefined : { user: text.slice(0, colon), secret: text.slice(colon + 1) }
}

export function wrongCredentials(): Refusal {
  return new Refusal(401, 'UNAUTHORIZED', 'incorrect username or password', {
    headers: { 'www-authenticate': 'Basic realm="Registry", charset="UTF-8"' },
  })
}
