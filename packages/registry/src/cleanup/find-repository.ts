import type { Repository } from '../change.ts'
import type { Queries } from '../database/database.ts'

export async function findRepository(
  queries: Queries,
  id: number,
): Promise<Repository | undefined> {
  return queries.get<Repository & object>(
    'SELECT id, name, namespace FROM repositories WHERE id = ?',
    [id],
  )
}
