import { afterAll, beforeAll } from 'vitest'
import { describePeers } from '../../../test/peers/require-peer.ts'
import { type PostgresPeer, startPostgres } from '../../../test/peers/postgres.ts'
import type { Database } from '../src/index.ts'
import { openDatabase } from '../src/database/open-database.ts'

/** Opens an empty database, without tables. */
export type OpenDatabase = () => Promise<Database>

/** For the suites in `*.test.ts`. */
export function openMemoryDatabase(): Promise<Database> {
  return openDatabase('sqlite::memory:')
}

/**
 * The same suites in a `*.peer.test.ts`: a real PostgreSQL runs for all that `body` describes, and each call of `open`
 * gives a database of its own in it.
 */
export function describePostgres(
  title: string,
  body: (open: OpenDatabase, server: () => PostgresPeer) => void,
): void {
  describePeers(title, ['postgres'], () => {
    let running: PostgresPeer | undefined
    const server = () => {
      if (running === undefined) throw new Error('PostgreSQL runs only inside the tests')
      return running
    }
    beforeAll(async () => {
      running = await startPostgres()
    })
    afterAll(() => running?.[Symbol.asyncDispose]())
    body(async () => openDatabase(await server().createDatabase()), server)
  })
}
