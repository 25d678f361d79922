import type { Database, Queries } from '../database/database.ts'
import { type Account, findAccountByID } from './account-store.ts'
import { readGeneration } from './generation.ts'
import { readActions } from './grant-store.ts'
import { inLibrary } from './pattern.ts'
import { PatternIndex } from './pattern-index.ts'
import type { PublicRights, Rights, Role, Scope } from './rights.ts'
import { type AccessToken, findToken } from './token-store.ts'

export interface Holder {
  readonly account: Account
  readonly rights: Rights
}

/** Rights that a PostgreSQL replica read may be this old; an embedded database is asked each time. */
const maxAgeMs = 10_000
const maxEntries = 10_000

/** What the tables say, remembered until something in them changes. */
export class RightsReader {
  readonly #database: Database
  readonly #now: () => number
  readonly #maxAgeMs: number
  #cache = new Cache('')
  #checkedAt = -Infinity

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
    this.#maxAgeMs = database.engine === 'sqlite' ? 0 : maxAgeMs
  }

  /** Who an account is and what it may do; undefined when it is gone or disabled. */
  async holder(accountID: number): Promise<Holder | undefined> {
    const cache = await this.#fresh()
    const found = await cache.remember(cache.holders, accountID, async () => {
      const account = await findAccountByID(this.#database, accountID)
      return account && { account, rights: await readRights(this.#database, account) }
    })
    if (found === undefined || found.account.isDisabled) return undefined
    return { ...found, rights: { ...found.rights, anonymous: await this.#public(cache) } }
  }

  /** What everybody may do. */
  async anonymous(): Promise<Rights> {
    const anonymous = await this.#public(await this.#fresh())
    const grants = new PatternIndex<Scope>([])
    return { isAdmin: false, mayCreate: false, roles: new Map(), grants, anonymous }
  }

  /** The token with this id, unless it is over. */
  async token(id: string): Promise<AccessToken | undefined> {
    const cache = await this.#fresh()
    const found = await cache.remember(cache.tokens, id, () =>
      findToken(this.#database, id, this.#now()),
    )
    const isOver = found?.expiresAt !== undefined && found.expiresAt <= this.#now()
    return isOver ? undefined : found
  }

  /**
   * Looks whether anything changed, however lately it looked: what was taken away may last some seconds, but nobody is
   * refused what was given to them. True when something did.
   */
  async renew(): Promise<boolean> {
    const now = this.#now()
    const generation = await readGeneration(this.#database)
    const hasChanged = generation !== this.#cache.generation
    if (hasChanged) this.#cache = new Cache(generation)
    this.#checkedAt = now
    return hasChanged
  }

  async #fresh(): Promise<Cache> {
    if (this.#now() - this.#checkedAt >= this.#maxAgeMs) await this.renew()
    return this.#cache
  }

  async #public(cache: Cache): Promise<PublicRights> {
    cache.anonymous ??= readPublicRights(this.#database)
    try {
      return await cache.anonymous
    } catch (error) {
      cache.anonymous = undefined
      throw error
    }
  }
}

/** What was read since one change and before the next. */
class Cache {
  readonly generation: string
  readonly holders = new Map<number, Promise<Holder | undefined>>()
  readonly tokens = new Map<string, Promise<AccessToken | undefined>>()
  anonymous: Promise<PublicRights> | undefined

  constructor(generation: string) {
    this.generation = generation
  }

  async remember<K, V>(
    map: Map<K, Promise<V | undefined>>,
    key: K,
    read: () => Promise<V | undefined>,
  ): Promise<V | undefined> {
    let found = map.get(key)
    if (found === undefined) {
      if (map.size >= maxEntries) map.clear()
      found = read()
      map.set(key, found)
    }
    try {
      return await found
    } catch (error) {
      map.delete(key)
      throw error
    }
  }
}

/** The rights of one account by themselves, without what everybody may do. */
export async function readRights(
  queries: Queries,
  { id, kind, isAdmin, mayCreate }: Account,
): Promise<Rights> {
  const members = await queries.all<{ readonly namespace: string; readonly role: Role }>(
    'SELECT namespace, role FROM namespace_members WHERE account_id = ?',
    [id],
  )
  const grants = await queries.all<{ readonly pattern: string; readonly actions: string }>(
    `SELECT pattern, actions FROM grants
     WHERE (subject = 'account' AND account_id = ?) OR (subject = 'everyone' AND account_id = 0 AND ? = 'person')`,
    [id, kind],
  )
  return {
    isAdmin,
    mayCreate,
    roles: new Map(members.map(({ namespace, role }) => [namespace, role])),
    grants: new PatternIndex(
      grants.map(({ pattern, actions }): Scope => ({ pattern, actions: readActions(actions) })),
    ),
    anonymous: { names: new Set(), patterns: new PatternIndex([]) },
  }
}

async function readPublicRights(queries: Queries): Promise<PublicRights> {
  const rows = await queries.all<{ readonly pattern: string }>(
    "SELECT pattern FROM grants WHERE subject = 'anonymous' AND account_id = 0",
  )
  const names = rows.filter(({ pattern }) => !pattern.includes('*'))
  return {
    names: new Set(names.map(({ pattern }) => inLibrary(pattern))),
    patterns: new PatternIndex(rows.filter(({ pattern }) => pattern.includes('*'))),
  }
}
