import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { Turnstile } from './turnstile.ts'

/** OWASP's choice for argon2id: 19 MiB, two passes, one lane. */
const parameters = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }
const saltLength = 16

interface HasherOptions {
  /** How many passwords are looked at together. Default 2: 19 MiB and one core each. */
  readonly concurrency?: number
  /** How many may wait for their turn. Default 32. */
  readonly queue?: number
}

/**
 * Hashes and checks passwords with argon2id, a few at a time: who sends many passwords must not take the memory and
 * the cores of everybody else.
 *
 * @throws Refusal 429 with `Retry-After` when too many wait.
 */
export class PasswordHasher {
  readonly #turnstile: Turnstile
  /** What an unknown name's password is compared with, so that it takes as long as a known one's. */
  readonly #nobody = {
    ...parameters,
    nonce: randomBytes(saltLength),
    hash: randomBytes(parameters.tagLength),
  }

  constructor({ concurrency = 2, queue = 32 }: HasherOptions = {}) {
    this.#turnstile = new Turnstile({ concurrency, queue })
  }

  /** `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, as other programs read it. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(saltLength)
    const { memory, passes, parallelism } = parameters
    const hash = await this.#run(password, { ...parameters, nonce: salt })
    const cost = `m=${memory},t=${passes},p=${parallelism}`
    return `$argon2id$v=19$${cost}$${encode(salt)}$${encode(hash)}`
  }

  /** Whether it is the password of a stored hash. Without one it is not, after the same time. */
  async verify(password: string, stored: string | undefined): Promise<boolean> {
    const expected = stored === undefined ? this.#nobody : parseHash(stored)
    if (expected === undefined) return false
    const { hash, ...rest } = expected
    const given = await this.#run(password, { ...rest, tagLength: hash.byteLength })
    return timingSafeEqual(given, hash) && stored !== undefined
  }

  #run(password: string, rest: Parameters): Promise<Buffer> {
    return this.#turnstile.run(
      () =>
        new Promise<Buffer>((resolve, reject) => {
          argon2('argon2id', { message: password, ...rest }, (error, hash) => {
            if (error) reject(error)
            else resolve(hash)
          })
        }),
    )
  }
}

interface Parameters {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly tagLength: number
  readonly nonce: Uint8Array
}

function parseHash(text: string): (Parameters & { readonly hash: Buffer }) | undefined {
  const match =
    /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([\w+/-]{1,128})\$([\w+/-]{1,128})$/.exec(
      text,
    )
  if (match === null) return undefined
  const [, memory, passes, parallelism, salt = '', hash = ''] = match
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    nonce: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
    tagLength: parameters.tagLength,
  }
}

function encode(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}
