import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { type Bytes, KatmanError } from '@katman/oci'
import type { ObjectStore, ObjectUpload } from '../object-store.ts'
import type { SourceRow } from './target-tables.ts'

const atOnce = 4

/** Copies the objects of blobs, each once, and checks them by their digest on the way. */
export class ObjectCopier {
  count = 0
  bytes = 0
  readonly #source: DatabaseSync
  readonly #from: ObjectStore
  readonly #to: ObjectStore
  readonly #present = new Map<string, number>()

  constructor(source: DatabaseSync, from: ObjectStore, to: ObjectStore) {
    this.#source = source
    this.#from = from
    this.#to = to
  }

  /** Finds what an earlier try copied. */
  async open(): Promise<void> {
    for await (const { key, size } of this.#to.list()) this.#present.set(key, size)
  }

  async copyAll(report: () => void): Promise<void> {
    let after = ''
    for (;;) {
      const rows = this.#source
        .prepare(
          'SELECT digest, size, object_key, state FROM blobs WHERE digest > ? ORDER BY digest LIMIT 1000',
        )
        .all(after)
      const last = rows.at(-1)
      if (last === undefined) return
      await this.copy(rows, report)
      after = String(last['digest'])
    }
  }

  /** The objects of these rows of `blobs`. */
  async copy(rows: readonly SourceRow[], report: () => void = () => undefined): Promise<void> {
    const left = rows.filter(
      ({ object_key: key, size, state }) =>
        key !== null && state !== 'quarantined' && this.#present.get(String(key)) !== Number(size),
    )
    const worker = async (): Promise<void> => {
      for (let row = left.pop(); row !== undefined; row = left.pop()) {
        await this.#copyOne(row)
        report()
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }

  /** Whether the target has the object of a row in its full size. */
  has({ object_key: key, size, state }: SourceRow): boolean {
    return (
      key === null || state === 'quarantined' || this.#present.get(String(key)) === Number(size)
    )
  }

  async #copyOne(row: SourceRow): Promise<void> {
    const [key, digest, size] = [
      String(row['object_key']),
      String(row['digest']),
      Number(row['size']),
    ]
    const [algorithm = '', expected] = digest.split(':')
    const hash = createHash(algorithm)
    const upload = await this.#begin(key)
    const bytes = this.#from.open(key, { start: 0, end: size })
    const step = await this.#to.append(upload, hashed(bytes, hash))
    const isWhole = step.failure === undefined && hash.digest('hex') === expected
    if (!isWhole) {
      await this.#to.abort(step.upload)
      // Clean-up may have been faster.
      if (!this.#isThere(digest, key)) return
      throw step.failure ?? damaged(digest)
    }
    await this.#to.finish(step.upload)
    this.#present.set(key, size)
    this.count += 1
    this.bytes += size
  }

  async #begin(key: string): Promise<ObjectUpload> {
    try {
      return await this.#to.begin(key)
    } catch {
      // Begun by a try that was interrupted.
      await this.#to.abort({ key, size: 0, detail: {} })
      return this.#to.begin(key)
    }
  }

  #isThere(digest: string, key: string): boolean {
    const sql = 'SELECT 1 AS one FROM blobs WHERE digest = ? AND object_key = ?'
    return this.#source.prepare(sql).get(digest, key) !== undefined
  }
}

async function* hashed(bytes: Bytes, hash: ReturnType<typeof createHash>): Bytes {
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
}

function damaged(digest: string): KatmanError {
  return new KatmanError('MOVE_FAILED', `the bytes of ${digest} are not what their digest says`, {
    hint: 'let the registry scrub its blobs, push this one again, then go on with the same command',
  })
}
