import { createHash, timingSafeEqual } from 'node:crypto'

/** Names and passwords, as the configuration has them. */
export type Users = Readonly<Record<string, string>>

/** Checks users; the time it takes tells nothing about their passwords. */
export class Passwords {
  readonly #passwords: ReadonlyMap<string, string>

  constructor(users: Users) {
    this.#passwords = new Map(Object.entries(users))
  }

  /** The user who may come in with these; undefined when unknown or wrong. */
  check(user: string, password: string): string | undefined {
    const expected = this.#passwords.get(user)
    const isRight = isEqual(password, expected ?? '')
    return isRight && expected !== undefined ? user : undefined
  }

  /** The user of a header; undefined without one, or when it is wrong. */
  readBasic(header: string | undefined): string | undefined {
    const [, encoded] = /^basic ([a-z0-9+/=]{1,8192})$/i.exec(header ?? '') ?? []
    if (encoded === undefined) return undefined
    const text = Buffer.from(encoded, 'base64').toString('utf8')
    const colon = text.indexOf(':')
    return colon === -1 ? undefined : this.check(text.slice(0, colon), text.slice(colon + 1))
  }
}

function isEqual(one: string, other: string): boolean {
  return timingSafeEqual(
    createHash('sha256').update(one).digest(),
    createHash('sha256').update(other).digest(),
  )
}
