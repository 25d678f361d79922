import * as v from 'valibot'
import type { Queries } from '../database/database.ts'
import { isPattern } from '../accounts/pattern.ts'
import { isGlob } from '../glob.ts'

export const repositoryPattern = v.pipe(
  v.string(),
  v.check(isPattern, 'is no pattern of repositories'),
)
export const tagPattern = v.pipe(v.string(), v.check(isGlob, 'is no pattern of tags'))
const days = v.pipe(v.number(), v.minValue(0), v.maxValue(36_500))

/** One reason to keep a tag. */
const rule = v.union([
  /** It is among so many that were pushed last. */
  v.strictObject({ newest: v.pipe(v.number(), v.integer(), v.minValue(1)) }),
  /** It was pushed in the last days. */
  v.strictObject({ pushedWithinDays: days }),
  /** It, or what it stands for, was pulled in the last days. */
  v.strictObject({ pulledWithinDays: days }),
  /** Its name is like this. */
  v.strictObject({ named: tagPattern }),
])

export const retentionPolicySchema = v.strictObject({
  /** Which repositories, as in rights: `team/*`, `**`. */
  repositories: repositoryPattern,
  /** Which of their tags; others stay. */
  tags: v.optional(tagPattern, '*'),
  /** Any one of them keeps a tag. */
  keep: v.pipe(v.array(rule), v.minLength(1, 'has no rule, so that every tag would go')),
})

/** Which tags stay: of those it is for, what no rule keeps goes. */
export type RetentionPolicy = v.InferOutput<typeof retentionPolicySchema>

export type RetentionRule = RetentionPolicy['keep'][number]

interface PolicyRow {
  readonly repositories: string
  readonly tags: string
  readonly rules: string
}

export async function listRetention(queries: Queries): Promise<readonly RetentionPolicy[]> {
  const rows = await queries.all<PolicyRow>(
    'SELECT repositories, tags, rules FROM retention_policies ORDER BY repositories, tags',
  )
  return rows.map(({ repositories, tags, rules }) =>
    v.parse(retentionPolicySchema, { repositories, tags, keep: JSON.parse(rules) }),
  )
}

/** Instead of the one for the same patterns, if there is one. */
export async function setRetention(
  queries: Queries,
  { repositories, tags, keep }: RetentionPolicy,
): Promise<void> {
  await queries.run(
    `INSERT INTO retention_policies (repositories, tags, rules) VALUES (?, ?, ?)
      ON CONFLICT (repositories, tags) DO UPDATE SET rules = excluded.rules`,
    [repositories, tags, JSON.stringify(keep)],
  )
}

/** Whether there was one. */
export async function removeRetention(
  queries: Queries,
  { repositories, tags }: Pick<RetentionPolicy, 'repositories' | 'tags'>,
): Promise<boolean> {
  const sql = 'DELETE FROM retention_policies WHERE repositories = ? AND tags = ?'
  return (await queries.run(sql, [repositories, tags])) > 0
}
