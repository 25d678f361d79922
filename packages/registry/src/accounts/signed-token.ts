import { randomUUID, sign, verify } from 'node:crypto'
import type { Grant } from '../access-token.ts'
import type { Scope } from './rights.ts'
import type { SigningKeys } from './signing-keys.ts'

/** What a signed token says, besides issuer, audience and times. */
export interface SignedClaims {
  /** The name of the account; empty for an anonymous token. */
  readonly sub: string
  /** The row of the account, so that a later account of the same name is another one. */
  readonly uid?: number | undefined
  /** The access token by which it was got: without that it is worth nothing. */
  readonly tid?: string | undefined
  /** What it is cut down to, where no access token says so. */
  readonly scopes?: readonly Scope[] | undefined
  readonly access: readonly Grant[]
}

export interface SignedTokensOptions {
  readonly keys: SigningKeys
  /** Issuer and audience. */
  readonly service: string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Clocks of replicas may differ by this much. */
const skewSeconds = 30
const maxLength = 32_768
const maxRemembered = 5000
/** Longer ones are checked each time: together they would take the memory of the process. */
const maxRememberedLength = 4096

/**
 * Signs and reads the tokens of the token server (JWT, EdDSA). Which key it is follows from the whole header, byte by byte: a header
 * that names another algorithm, brings a key or points to one is no header of ours.
 */
export class SignedTokens {
  readonly #options: SignedTokensOptions
  readonly #read = new Map<string, SignedClaims & Times>()

  constructor(options: SignedTokensOptions) {
    this.#options = options
  }

  async sign(claims: SignedClaims, lifetimeSeconds: number): Promise<string> {
    const { keys, service, now } = this.#options
    const { header, privateKey } = await keys.current()
    const iat = Math.floor(now() / 1000)
    const body = {
      iss: service,
      aud: service,
      iat,
      nbf: iat - skewSeconds,
      exp: iat + lifetimeSeconds,
      jti: randomUUID(),
      ...claims,
    }
    const text = `${header}.${Buffer.from(JSON.stringify(body)).toString('base64url')}`
    return `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`
  }

  /** Undefined for anything but a token of this registry whose time it is. */
  async read(token: string): Promise<SignedClaims | undefined> {
    const claims = this.#read.get(token) ?? (await this.#verify(token))
    if (claims === undefined) return undefined
    const seconds = this.#options.now() / 1000
    return claims.exp > seconds && claims.nbf <= seconds + skewSeconds ? claims : undefined
  }

  async #verify(token: string): Promise<(SignedClaims & Times) | undefined> {
    const [header = '', body = '', signature = '', ...more] = token.split('.')
    if (token.length > maxLength || more.length > 0) return undefined
    const key = await this.#options.keys.find(header)
    if (key === undefined) return undefined
    const bytes = Buffer.from(signature, 'base64url')
    // One signature has one spelling.
    if (bytes.toString('base64url') !== signature) return undefined
    if (!verify(null, Buffer.from(`${header}.${body}`), key.publicKey, bytes)) return undefined
    const claims = readClaims(body, this.#options.service)
    if (claims === undefined) return undefined
    if (token.length > maxRememberedLength) return claims
    const [oldest] = this.#read.keys()
    if (this.#read.size >= maxRemembered && oldest !== undefined) this.#read.delete(oldest)
    this.#read.set(token, claims)
    return claims
  }
}

interface Times {
  readonly exp: number
  readonly nbf: number
}

/** The signature says that we wrote it, but other claims under our key must not be trusted either. */
function readClaims(body: string, service: string): (SignedClaims & Times) | undefined {
  const claims: unknown = parse(Buffer.from(body, 'base64url').toString('utf8'))
  if (typeof claims !== 'object' || claims === null) return undefined
  const has = (name: string): unknown =>
    Object.hasOwn(claims, name) ? Reflect.get(claims, name) : undefined
  const areTimes = ['exp', 'nbf', 'iat'].every((name) => {
    const value = has(name)
    return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
  })
  const isOurs = has('iss') === service && has('aud') === service
  const isWhole = typeof has('sub') === 'string' && Array.isArray(has('access'))
  const uid = has('uid')
  const isHeld = uid === undefined || Number.isSafeInteger(uid)
  if (!areTimes || !isOurs || !isWhole || !isHeld) return undefined
  // Checked above; the rest is as sign() wrote it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return claims as SignedClaims & Times
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
