import type { Database, Queries } from '../database/database.ts'

export async function hasStar(
  queries: Queries,
  repositoryId: number,
  account: string | undefined,
): Promise<boolean> {
  if (account === undefined) return false
  return (await queries.get(oneStar, [repositoryId, account])) !== undefined
}

/** Twice is as good as once. */
export async function setStar(
  database: Database,
  star: {
    readonly repositoryId: number
    readonly account: string
    readonly isStarred: boolean
    /** Milliseconds since 1970. */
    readonly at: number
  },
): Promise<void> {
  const { repositoryId, account, isStarred, at } = star
  if (isStarred) await database.run(addStar, [repositoryId, account, at])
  else await database.run(removeStar, [repositoryId, account])
}

const oneStar = 'SELECT 1 AS one FROM stars WHERE repository_id = ? AND account = ?'

const addStar = `INSERT INTO stars (repository_id, account, starred_at) VALUES (?, ?, ?)
  ON CONFLICT (repository_id, account) DO NOTHING`

const removeStar = 'DELETE FROM stars WHERE repository_id = ? AND account = ?'
