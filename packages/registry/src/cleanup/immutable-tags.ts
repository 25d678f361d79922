import type { ChangeListener } from '../change.ts'
import type { Queries } from '../database/database.ts'
import { Refusal } from '../refusal.ts'
import { matches } from '../accounts/pattern.ts'
import { matchesGlob } from '../glob.ts'

/** Tags of these names in these repositories never move and are never deleted. */
export interface ImmutableTags {
  readonly id: number
  readonly repositories: string
  readonly tags: string
}

/** Undoes what would move or delete a tag that may not. Pushing what it stands for once more is fine. */
export const refuseMovedTags: ChangeListener = async (transaction, change) => {
  if (change.kind !== 'tag-set' && change.kind !== 'tag-deleted') return
  if (change.kind === 'tag-set') {
    const { previous, digest } = change
    if (previous === undefined || previous === digest) return
  }
  const { name } = change.repository
  if (!isImmutable(await listImmutableTags(transaction), name, change.tag)) return
  const what = change.kind === 'tag-set' ? 'moved' : 'deleted'
  throw new Refusal(
    403,
    'DENIED',
    `the tag ${change.tag} of ${name} is immutable: it cannot be ${what}`,
    {
      detail: { repository: name, tag: change.tag },
    },
  )
}

export function isImmutable(
  rules: readonly ImmutableTags[],
  repository: string,
  tag: string,
): boolean {
  return rules.some((rule) => matches(rule.repositories, repository) && matchesGlob(rule.tags, tag))
}

export function listImmutableTags(queries: Queries): Promise<readonly ImmutableTags[]> {
  return queries.all<ImmutableTags>(
    'SELECT id, repositories, tags FROM immutable_tags ORDER BY repositories, tags',
  )
}

/** Once more is fine. */
export async function addImmutableTags(
  queries: Queries,
  { repositories, tags }: Omit<ImmutableTags, 'id'>,
): Promise<void> {
  await queries.run(
    `INSERT INTO immutable_tags (repositories, tags) VALUES (?, ?)
      ON CONFLICT (repositories, tags) DO NOTHING`,
    [repositories, tags],
  )
}

/** Whether there was one. */
export async function removeImmutableTags(
  queries: Queries,
  { repositories, tags }: Omit<ImmutableTags, 'id'>,
): Promise<boolean> {
  const sql = 'DELETE FROM immutable_tags WHERE repositories = ? AND tags = ?'
  return (await queries.run(sql, [repositories, tags])) > 0
}
