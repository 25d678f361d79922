import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { Refusal } from '../refusal.ts'

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
  readonly #concurrency: number
  readonly #queue: number
  readonly #waiting: (() => void)[] = []
  #running = 0
  /** What an unknown name's password is compared with, so that it takes as long as a known one's. */
  #nobody: Promise<string> | undefined

  constructor({ concurrency = 2, queue = 32 }: HasherOptions = {}) {
    this.#concurrency = concurrency
    this.#queue = queue
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
    this.#nobody ??= this.hash(randomBytes(saltLength).toString('hex'))
    const expected = parseHash(stored ?? (await this.#nobody))
    if (expected === undefined) return false
    const { hash, ...rest } = expected
    const given = await this.#run(password, { ...rest, tagLength: hash.byteLength })
    return timingSafeEqual(given, hash) && stored !== undefined
  }

  async #run(password: string, rest: Parameters): Promise<Buffer> {
    await this.#enter()
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        argon2('argon2id', { message: password, ...rest }, (error, hash) => {
          if (error) reject(error)
          else resolve(hash)
        })
      })
    } finally {
      this.#running -= 1
      this.#waiting.shift()?.()
    }
  }

  async #enter(): Promise<void> {
    if (this.#running >= this.#concurrency) {
      if (this.#waiting.length >= this.#queue) throw tooMany(1)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
    this.#running += 1
  }
}

interface Parameters {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly tagLength: number
  readonly nonce: Uint8Array
}

export function tooMany(retryAfterSeconds: number): Refusal {
  return new Refusal(429, 'TOOMANYREQUESTS', 'too many attempts to log in: try again later', {
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) },
  })
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
