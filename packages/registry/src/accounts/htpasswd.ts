import { readFile, stat } from 'node:fs/promises'
import { KatmanError } from '@katman/oci'
import type { Action, Gate, Policy } from '../access.ts'
import { isNeedOfUser, usersOnly } from '../access.ts'
import { Refusal } from '../refusal.ts'
import type { HtpasswdOptions, HtpasswdRule } from './access-options.ts'
import { readBasic } from './authenticator.ts'
import { FailedLogins } from './failed-logins.ts'
import { nobodysHash } from './nobodys-hash.ts'
import { matches } from './pattern.ts'
import { completeActions } from './rights.ts'
import { tooMany } from './too-many.ts'
import { Turnstile } from './turnstile.ts'
import { VerifiedPasswords } from './verified-passwords.ts'

interface Surroundings {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly warn: (line: string) => void
}

/** The file is looked at so often at the most. */
const lookMs = 1000
const maxFileBytes = 16 * 1024 * 1024
/** bcrypt looks at no more of a password. */
const maxPasswordBytes = 72

/**
 * Lets in the users of an htpasswd file, by password with every request.
 *
 * @throws KatmanError `REGISTRY_CONFIG_INVALID` when the file cannot be read. Later the users of before stay.
 */
export async function createHtpasswdGate(
  { file, administrators = [], rules }: HtpasswdOptions,
  { now, warn }: Surroundings,
): Promise<Gate> {
  const users = new HtpasswdFile(file, { now, warn })
  await users.open()
  const policy = rules === undefined ? usersOnly : policyOf(rules)
  const verified = new VerifiedPasswords()
  const failed = new FailedLogins()
  // It runs in this thread: one password after the other.
  const turnstile = new Turnstile({ concurrency: 1, queue: 32 })

  async function logIn(header: string, client: string | undefined): Promise<string | undefined> {
    const credentials = readBasic(header)
    if (credentials === undefined) return undefined
    const { user, secret } = credentials
    const { hashes, nobody } = await users.read()
    const stored = hashes.get(user)
    if (stored !== undefined && verified.has(stored, secret, now())) return user
    const wait = failed.secondsToWait(client, now())
    if (wait !== undefined) throw tooMany(wait)
    const { compare } = await import('bcryptjs')
    const isRight = await turnstile.run(() => compare(secret, stored ?? nobody))
    if (isRight && stored !== undefined && Buffer.byteLength(secret) <= maxPasswordBytes) {
      verified.add(stored, secret, now())
      return user
    }
    failed.add(client, now())
    return undefined
  }

  return {
    async admit(request, need) {
      const header = request.header('authorization')
      const user = header === undefined ? undefined : await logIn(header, request.client)
      const challenge = new Refusal(401, 'UNAUTHORIZED', 'authentication required', {
        headers: { 'www-authenticate': 'Basic realm="Registry", charset="UTF-8"' },
      })
      if (header !== undefined && user === undefined) throw challenge
      const may = (wanted: typeof need): boolean =>
        isNeedOfUser(wanted, user, { policy, administrators })
      if (!may(need)) {
        if (user === undefined) throw challenge
        throw new Refusal(403, 'DENIED', 'requested access to the resource is denied')
      }
      return {
        account: user,
        may,
        maySee: (repository) => policy(user, repository, 'pull'),
      }
    },
  }
}

interface Users {
  readonly hashes: ReadonlyMap<string, string>
  /** What the password of an unknown name is compared with. */
  readonly nobody: string
}

/** The users of a file and their hashes; read again when it changed. */
class HtpasswdFile {
  readonly #file: string
  readonly #surroundings: Surroundings
  #users: Users = { hashes: new Map(), nobody: nobodysHash([]) }
  #version = ''
  #lookedAt = -Infinity

  constructor(file: string, surroundings: Surroundings) {
    this.#file = file
    this.#surroundings = surroundings
  }

  async open(): Promise<void> {
    try {
      await this.#look()
    } catch (cause) {
      throw new KatmanError('REGISTRY_CONFIG_INVALID', `cannot read ${this.#file}`, {
        hint: 'make it with: htpasswd -B -c FILE USER',
        cause,
      })
    }
  }

  async read(): Promise<Users> {
    const { now, warn } = this.#surroundings
    if (now() - this.#lookedAt >= lookMs) {
      this.#lookedAt = now()
      try {
        await this.#look()
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        warn(`htpasswd: the users of before stay: ${reason}`)
      }
    }
    return this.#users
  }

  async #look(): Promise<void> {
    const { ino, size, mtimeNs } = await stat(this.#file, { bigint: true })
    const version = `${ino} ${size} ${mtimeNs}`
    if (version === this.#version) return
    if (size > maxFileBytes) throw new Error(`${this.#file} is larger than 16 MiB`)
    const users = new Map<string, string>()
    for (const [index, line] of (await readFile(this.#file, 'utf8')).split('\n').entries()) {
      const text = line.trim()
      if (text === '' || text.startsWith('#')) continue
      const colon = text.indexOf(':')
      const hash = text.slice(colon + 1)
      // Only what is slow to guess: not MD5, SHA-1, crypt or plain text.
      if (colon > 0 && /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) {
        users.set(text.slice(0, colon), hash)
      } else {
        this.#surroundings.warn(`htpasswd: line ${index + 1} has no bcrypt hash and does not count`)
      }
    }
    this.#users = { hashes: users, nobody: nobodysHash([...users.values()]) }
    this.#version = version
  }
}

function policyOf(rules: readonly HtpasswdRule[]): Policy {
  const complete = rules.map((rule) => ({ ...rule, actions: completeActions(rule.actions) }))
  return (user: string | undefined, repository: string, action: Action) =>
    complete.some(({ users, repositories, actions }) => {
      const isFor =
        users.includes('anonymous') ||
        (user !== undefined && (users.includes('everyone') || users.includes(user)))
      return isFor && actions.includes(action) && matches(repositories, repository)
    })
}
