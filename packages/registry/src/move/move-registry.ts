import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { KatmanError } from '@katman/oci'
import type { Database } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { openSqlite } from '../database/sqlite.ts'
import type { ObjectStore } from '../object-store.ts'
import { openFolderObjects } from '../objects/folder-objects.ts'
import { openRegistryDatabase, openRegistryObjects } from '../open-stores.ts'
import {
  beginLog,
  beginWriting,
  type Changes,
  endLog,
  freeze,
  hasLog,
  inReading,
  inWriting,
  isFrozen,
  lastOf,
  readChanges,
} from './change-log.ts'
import { ObjectCopier } from './copy-objects.ts'
import { readMarker, removeMarker, writeMarker } from './move-marker.ts'
import { readTables, type SourceTable } from './source-tables.ts'
import { applyChanges, clearTables, continueCounters, copyRows } from './target-tables.ts'
import { verifyTables } from './verify-tables.ts'

export interface MoveTarget {
  readonly database: Database
  readonly objects: ObjectStore
}

export interface MoveResult {
  readonly rows: number
  /** Objects and bytes that this run copied. */
  readonly objects: number
  readonly bytes: number
  /** How long nobody could write. */
  readonly pauseMs: number
}

/** Opens the places of replicas to move to. */
export async function openMoveTarget(places: {
  readonly database: string
  readonly storage: string
}): Promise<MoveTarget & AsyncDisposable> {
  const database = await openRegistryDatabase(places)
  return {
    database,
    objects: await openRegistryObjects(places),
    [Symbol.asyncDispose]: () => database.close(),
  }
}

interface MoveOptions {
  /** Takes a line about what goes on. */
  readonly report?: (line: string) => void
}

/** So few changes are left for the pause. */
const fewChanges = 200
const roundsAtMost = 50

/**
 * Moves the registry of a folder into another database and object store while it serves. What changes meanwhile is noted by
 * triggers and brought over round by round; for the last round, and the comparison of all rows, writers wait. Afterwards the
 * folder can be read and not be changed any more. A move that was interrupted goes on when it is started again.
 *
 * @throws KatmanError `MOVE_SOURCE_INVALID`, `MOVE_TARGET_NOT_EMPTY`, `MOVE_FAILED`, and what databases and stores throw.
 */
export async function moveRegistry(
  folder: string,
  target: MoveTarget,
  { report = () => undefined }: MoveOptions = {},
): Promise<MoveResult> {
  const source = await openSource(folder)
  try {
    const tables = readTables(source)
    await migrate(target.database)
    const copier = new ObjectCopier(
      source,
      await openFolderObjects(path.join(folder, 'objects')),
      target.objects,
    )
    return await new Move(source, tables, target.database, copier, report).run()
  } finally {
    source.close()
  }
}

/** Gives up a move, also one that is done: the folder serves and changes again. */
export async function cancelMove(folder: string): Promise<void> {
  const source = await openSource(folder)
  try {
    await inWriting(source, () => {
      endLog(source)
    })
  } finally {
    source.close()
  }
}

class Move {
  readonly #source: DatabaseSync
  readonly #tables: readonly SourceTable[]
  readonly #target: Database
  readonly #objects: ObjectCopier
  readonly #report: (line: string) => void

  constructor(
    source: DatabaseSync,
    tables: readonly SourceTable[],
    target: Database,
    objects: ObjectCopier,
    report: (line: string) => void,
  ) {
    this.#source = source
    this.#tables = tables
    this.#target = target
    this.#objects = objects
    this.#report = report
  }

  async run(): Promise<MoveResult> {
    const id = await this.#claim()
    await this.#objects.open()
    if (isFrozen(this.#source)) {
      // Only the last step is missing.
      const rows = await verifyTables(this.#source, this.#target, this.#tables)
      return this.#finish(rows, 0)
    }
    const isContinued = hasLog(this.#source)
    await beginLog(this.#source, this.#tables)
    await this.#copyObjects()
    this.#report(`${this.#objects.count} blobs copied, ${this.#objects.bytes} bytes`)
    const marker = await readMarker(this.#target)
    const copied = isContinued ? marker?.seq : undefined
    const from = copied ?? (await this.#copyTables(id))
    // Blobs that came between the two copies.
    await this.#copyObjects()
    const seq = await this.#catchUp(id, from)
    const { rows, pauseMs } = await this.#pause(id, seq)
    return this.#finish(rows, pauseMs)
  }

  /** Makes sure that the target is for this move. */
  async #claim(): Promise<string> {
    const insert =
      "INSERT INTO settings (key, value) VALUES ('move-id', ?) ON CONFLICT (key) DO NOTHING"
    if (!isFrozen(this.#source)) {
      await inWriting(this.#source, () => this.#source.prepare(insert).run(randomUUID()))
    }
    const found = this.#source.prepare("SELECT value FROM settings WHERE key = 'move-id'").get()
    const id = String(found?.['value'])
    const marker = await readMarker(this.#target)
    if (marker?.source === id) return id
    if (marker === undefined) {
      if (isFrozen(this.#source)) {
        throw new KatmanError('MOVE_SOURCE_INVALID', 'this registry has moved already', {
          hint: 'to serve from the folder again: katman registry move --cancel',
        })
      }
      if (await this.#isEmpty()) {
        await writeMarker(this.#target, { source: id, seq: undefined })
        return id
      }
    }
    throw new KatmanError('MOVE_TARGET_NOT_EMPTY', 'the database to move to is in use', {
      hint: 'make a new one: CREATE DATABASE …',
    })
  }

  async #isEmpty(): Promise<boolean> {
    for (const name of ['repositories', 'blobs', 'accounts']) {
      if ((await this.#target.get(`SELECT 1 AS one FROM ${name} LIMIT 1`)) !== undefined)
        return false
    }
    return true
  }

  async #copyObjects(): Promise<void> {
    let last = performance.now()
    await this.#objects.copyAll(() => {
      if (performance.now() - last < 5000) return
      last = performance.now()
      this.#report(`${this.#objects.count} blobs copied, ${this.#objects.bytes} bytes`)
    })
  }

  /** All rows as they are at one moment. */
  async #copyTables(id: string): Promise<number> {
    await this.#target.transaction((transaction) => clearTables(transaction, this.#tables), {
      isLong: true,
    })
    return inReading(this.#source, async () => {
      const seq = lastOf(this.#source)
      let rows = 0
      for (const table of this.#tables) {
        const all = this.#source.prepare(`SELECT * FROM "${table.name}"`).iterate()
        rows += await copyRows(this.#target, table, all)
      }
      await writeMarker(this.#target, { source: id, seq })
      this.#report(`${rows} rows of ${this.#tables.length} tables copied`)
      return seq
    })
  }

  /** Brings over what was written meanwhile, until it is little. */
  async #catchUp(id: string, from: number): Promise<number> {
    let seq = from
    for (let round = 0; round < roundsAtMost; round += 1) {
      const changes = await this.#readChanges(seq)
      await this.#bring(id, changes)
      seq = changes.last
      if (changes.rows.length > 0) this.#report(`${changes.rows.length} changes brought over`)
      if (changes.rows.length <= fewChanges) break
    }
    return seq
  }

  #readChanges(since: number): Promise<Changes> {
    return inReading(this.#source, () => readChanges(this.#source, this.#tables, since))
  }

  async #bring(id: string, { last, rows }: Changes): Promise<void> {
    const blobs = rows.flatMap(({ table, row }) =>
      table.name === 'blobs' && row !== undefined ? [row] : [],
    )
    await this.#objects.copy(blobs)
    await this.#target.transaction(
      async (transaction) => {
        await applyChanges(transaction, this.#tables, rows)
        await writeMarker(transaction, { source: id, seq: last })
      },
      { isLong: true },
    )
  }

  /** Holds the one lock for writing while the rest comes over and all is compared; nobody writes here afterwards. */
  async #pause(
    id: string,
    since: number,
  ): Promise<{ readonly rows: number; readonly pauseMs: number }> {
    await beginWriting(this.#source)
    const start = performance.now()
    try {
      await this.#bring(id, readChanges(this.#source, this.#tables, since))
      const rows = await verifyTables(this.#source, this.#target, this.#tables)
      this.#verifyObjects()
      this.#report(`${rows} rows are the same on both sides`)
      endLog(this.#source)
      freeze(this.#source, this.#tables)
      this.#source.exec('COMMIT')
      return { rows, pauseMs: performance.now() - start }
    } catch (error) {
      if (this.#source.isTransaction) this.#source.exec('ROLLBACK')
      throw error
    }
  }

  #verifyObjects(): void {
    const rows = this.#source.prepare('SELECT digest, size, object_key, state FROM blobs').iterate()
    for (const row of rows) {
      if (this.#objects.has(row)) continue
      throw new KatmanError('MOVE_FAILED', `the blob ${String(row['digest'])} was not copied`, {
        hint: 'nothing was changed here; try again',
      })
    }
  }

  /** From here on the target may serve. */
  async #finish(rows: number, pauseMs: number): Promise<MoveResult> {
    await this.#target.transaction(async (transaction) => {
      await continueCounters(transaction, this.#tables)
      await removeMarker(transaction)
    })
    return { rows, objects: this.#objects.count, bytes: this.#objects.bytes, pauseMs }
  }
}

/** Brought up to date, so that both sides have the same tables. */
async function openSource(folder: string): Promise<DatabaseSync> {
  const file = path.join(folder, 'registry.db')
  if (!existsSync(file)) {
    throw new KatmanError('MOVE_SOURCE_INVALID', `there is no registry in ${folder}`, {
      hint: 'give the folder that katman registry serve has: --data FOLDER',
    })
  }
  const database = await openSqlite(file)
  try {
    await migrate(database)
  } finally {
    await database.close()
  }
  const source = new DatabaseSync(file, { timeout: 0 })
  source.exec('PRAGMA synchronous = FULL')
  return source
}
