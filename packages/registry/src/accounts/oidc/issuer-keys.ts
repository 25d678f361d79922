import { KatmanError } from '@katman/oci'
import type { HttpTransport } from '@katman/remote'
import type { JWTVerifyGetKey } from 'jose'
import { guardedFetch } from '../../outbound/guarded-fetch.ts'

interface IssuerKeysOptions {
  readonly issuer: string
  readonly transport: HttpTransport
  /** Milliseconds since 1970. */
  readonly now: () => number
}

const freshMs = 10 * 60_000
/** While the issuer cannot be reached its keys of before count for so long. */
const staleMs = 24 * 3600_000
/** Tokens with unknown keys make it ask, but not more often. */
const againMs = 30_000
/** The same while it never answered. */
const firstAgainMs = 5000
const maxBytes = 512 * 1024

/** The public keys of one issuer, found by OpenID Connect Discovery. Nothing a token says leads anywhere. */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions
  #keys: { readonly find: JWTVerifyGetKey; readonly at: number } | undefined
  #triedAt = -Infinity
  #reading: Promise<void> | undefined

  constructor(options: IssuerKeysOptions) {
    this.#options = options
  }

  /** For `jwtVerify`. Rejects when the issuer has no such key. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const { now } = this.#options
    if (this.#keys === undefined || now() - this.#keys.at >= freshMs) await this.#refresh()
    const keys = this.#current()
    try {
      return await keys(header, token)
    } catch (error) {
      // Perhaps a new one.
      if (now() - this.#triedAt < againMs) throw error
      await this.#refresh()
      return this.#current()(header, token)
    }
  }

  #current(): JWTVerifyGetKey {
    const { issuer, now } = this.#options
    if (this.#keys !== undefined && now() - this.#keys.at < staleMs) return this.#keys.find
    throw unusable(issuer, 'its keys cannot be had')
  }

  async #refresh(): Promise<void> {
    const { issuer, now } = this.#options
    const age = now() - this.#triedAt
    if (this.#keys !== undefined && age < againMs) return
    if (this.#keys === undefined && this.#reading === undefined && age < firstAgainMs) {
      throw unusable(issuer, 'it did not answer a moment ago')
    }
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    try {
      await this.#reading
    } catch (error) {
      if (this.#keys === undefined) throw error
    }
  }

  async #read(): Promise<void> {
    const { issuer, transport, now } = this.#options
    this.#triedAt = now()
    const address = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
    const discovered = await fetchJson(transport, address)
    if (discovered['issuer'] !== issuer) throw unusable(issuer, 'it says that it is another one')
    const { jwks_uri: keys } = discovered
    const url = typeof keys === 'string' ? URL.parse(keys) : null
    if (url === null) throw unusable(issuer, 'it names no keys')
    // Whoever speaks https must not be led to http.
    if (url.protocol !== address.protocol) throw unusable(issuer, 'its keys are elsewhere')
    const { keys: found } = await fetchJson(transport, url)
    if (!Array.isArray(found)) throw unusable(issuer, 'its keys are none')
    const { createLocalJWKSet } = await import('jose')
    this.#keys = { find: createLocalJWKSet({ keys: found }), at: now() }
  }
}

async function fetchJson(
  transport: HttpTransport,
  url: URL,
): Promise<Readonly<Record<string, unknown>>> {
  const { status, body } = await guardedFetch(transport, { url, maxBytes })
  if (status !== 200) throw unusable(url.origin, `status ${status}`)
  const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
  if (typeof value !== 'object' || value === null) throw unusable(url.origin, 'no JSON object')
  return { ...value }
}

function unusable(issuer: string, why: string): KatmanError {
  return new KatmanError('RESPONSE_INVALID', `the issuer ${issuer} cannot be used: ${why}`, {
    hint: 'check the address of the issuer in the configuration',
  })
}
