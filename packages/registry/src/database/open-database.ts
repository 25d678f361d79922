import { KatmanError } from '@katman/oci'
import type { Database } from './database.ts'

/**
 * Opens the database of a URL: `sqlite:///var/lib/katman/registry.db` (also `sqlite:registry.db`, and
 * `sqlite::memory:`), or `postgres://…` (see `parsePostgresUrl`). Its tables are made by `migrate`.
 *
 * @throws KatmanError `DATABASE_URL_INVALID`, `DATABASE_UNAVAILABLE`, `DATABASE_FAILED`.
 */
export async function openDatabase(url: string): Promise<Database> {
  const scheme = url.slice(0, url.indexOf(':'))
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const { openPostgres } = await import('./postgres.ts')
    return openPostgres(url)
  }
  if (scheme === 'sqlite') {
    const { openSqlite } = await import('./sqlite.ts')
    return openSqlite(url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, ''))
  }
  throw new KatmanError('DATABASE_URL_INVALID', 'the address of the database is of no known kind', {
    hint: 'give sqlite:///folder/registry.db or postgres://user@host/database',
  })
}
