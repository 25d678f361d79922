import type { Repository } from '../change.ts'
import type { Queries, Transaction } from '../database/database.ts'

export async function findRepository(
  queries: Queries,
  name: string,
): Promise<Repository | undefined> {
  return queries.get<Repository>('SELECT id, name, namespace FROM repositories WHERE name = ?', [
    name,
  ])
}

/** The repository of that name, made when there is none. */
export async function ensureRepository(
  transaction: Transaction,
  name: string,
  now: number,
): Promise<{ readonly repository: Repository; readonly isNew: boolean }> {
  const found = await findRepository(transaction, name)
  if (found !== undefined) return { repository: found, isNew: false }
  const made = await transaction.get<Repository>(
    `INSERT INTO repositories (name, namespace, created_at) VALUES (?, ?, ?)
     ON CONFLICT (name) DO NOTHING RETURNING id, name, namespace`,
    [name, namespaceOf(name), now],
  )
  if (made !== undefined) return { repository: made, isNew: true }
  // Another replica was faster.
  const other = await findRepository(transaction, name)
  if (other === undefined) throw new TypeError(`no row for the repository ${name}`)
  return { repository: other, isNew: false }
}

/** At most `limit` names, sorted, after `last`. */
export async function listRepositoryNames(
  queries: Queries,
  { last, limit }: { readonly last: string; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await queries.all<{ readonly name: string }>(
    'SELECT name FROM repositories WHERE name > ? ORDER BY name LIMIT ?',
    [last, limit],
  )
  return rows.map(({ name }) => name)
}

/** The first part of a name; `library` for a name of one part, as on Docker Hub. */
export function namespaceOf(name: string): string {
  const slash = name.indexOf('/')
  return slash === -1 ? 'library' : name.slice(0, slash)
}
