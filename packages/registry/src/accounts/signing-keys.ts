import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Database } from '../database/database.ts'
import { makeID } from './secret-token.ts'

export interface SigningKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** The header of every token it signs, encoded. Nothing else is taken for one of its tokens. */
  readonly header: string
}

interface KeyRow {
  readonly id: string
  readonly private_key: string
  readonly created_at: number
}

const rotateMs = 30 * 24 * 3600_000
/** Long enough for every token a key signed, and for replicas whose clocks differ. */
const keepMs = rotateMs + 2 * 24 * 3600_000
const refreshMs = 10 * 60_000
/** Unknown headers make it look for new keys, but an attacker must not make it look all the time. */
const minRefreshMs = 1000

/**
 * The Ed25519 keys that sign access tokens. They are in the database, so every replica takes what another one signed; each month
 * whoever notices first adds a new one.
 */
export class SigningKeys {
  readonly #database: Database
  readonly #now: () => number
  #byHeader: ReadonlyMap<string, SigningKey> = new Map()
  #newest: { readonly key: SigningKey; readonly createdAt: number } | undefined
  #readAt = -Infinity

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** The key to sign with. */
  async current(): Promise<SigningKey> {
    if (this.#now() - this.#readAt >= refreshMs) await this.#read()
    if (this.#newest === undefined || this.#now() - this.#newest.createdAt >= rotateMs) {
      await this.#rotate()
    }
    if (this.#newest === undefined) throw new TypeError('no signing key')
    return this.#newest.key
  }

  /** The key whose tokens have this header. */
  async find(header: string): Promise<SigningKey | undefined> {
    const age = this.#now() - this.#readAt
    const isKnown = this.#byHeader.has(header)
    if (age >= refreshMs || (!isKnown && age >= minRefreshMs)) await this.#read()
    return this.#byHeader.get(header)
  }

  async #rotate(): Promise<void> {
    const now = this.#now()
    await this.#database.transaction(async (transaction) => {
      // Replicas that notice together wait here for one of them.
      await transaction.run(
        "INSERT INTO settings (key, value) VALUES ('signing-keys', '') ON CONFLICT (key) DO UPDATE SET value = ''",
      )
      const recent = await transaction.get('SELECT id FROM signing_keys WHERE created_at > ?', [
        now - rotateMs,
      ])
      if (recent !== undefined) return
      const { privateKey } = generateKeyPairSync('ed25519')
      await transaction.run(
        "INSERT INTO signing_keys (id, algorithm, private_key, created_at) VALUES (?, 'EdDSA', ?, ?)",
        [makeID(), privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), now],
      )
      await transaction.run('DELETE FROM signing_keys WHERE created_at <= ?', [now - keepMs])
    })
    await this.#read()
  }

  async #read(): Promise<void> {
    const readAt = this.#now()
    const rows = await this.#database.all<KeyRow>(
      "SELECT id, private_key, created_at FROM signing_keys WHERE algorithm = 'EdDSA' AND created_at > ? ORDER BY created_at, id",
      [readAt - keepMs],
    )
    const keys = rows.map((row) => ({ key: keyOf(row), createdAt: row.created_at }))
    this.#byHeader = new Map(keys.map(({ key }) => [key.header, key]))
    this.#newest = keys.at(-1)
    this.#readAt = readAt
  }
}

function keyOf({ id, private_key: pem }: KeyRow): SigningKey {
  const privateKey = createPrivateKey(pem)
  const header = Buffer.from(JSON.stringify({ typ: 'JWT', alg: 'EdDSA', kid: id }))
  return {
    privateKey,
    publicKey: createPublicKey(privateKey),
    header: header.toString('base64url'),
  }
}
