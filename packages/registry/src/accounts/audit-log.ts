import type { Queries } from '../database/database.ts'

/** One thing that somebody did or tried. Never holds a secret: names, patterns and ids only. */
export interface AuditEntry {
  /** Milliseconds since 1970. */
  readonly at: number
  /** The account; undefined for anybody without one. */
  readonly actor?: string | undefined
  /** The client's address. */
  readonly client?: string | undefined
  /** `account.create`, `login`, `tag.delete`. */
  readonly action: string
  /** What it was done to. */
  readonly target: string
  readonly result: 'done' | 'refused'
  readonly detail?: string | undefined
}

export interface AuditQuery {
  readonly actor?: string | undefined
  /** The whole name, or its part before the dot. */
  readonly action?: string | undefined
  readonly target?: string | undefined
  /** Milliseconds since 1970; from here on. */
  readonly since?: number | undefined
  /** Milliseconds since 1970; up to and without. */
  readonly until?: number | undefined
  /** Only entries before the one with this id: the next page. */
  readonly before?: number | undefined
  readonly limit: number
}

interface AuditRow {
  readonly id: number
  readonly at: number
  readonly actor: string | null
  readonly client: string | null
  readonly action: string
  readonly target: string
  readonly result: AuditEntry['result']
  readonly detail: string | null
}

/** What an attacker chooses, like a name that does not exist, is cut to this. */
const maxText = 300

export async function writeAudit(queries: Queries, entry: AuditEntry): Promise<void> {
  await queries.run(
    'INSERT INTO audit_log (at, actor, client, action, target, result, detail) VALUES (?, ?, ?, ?, ?, ?, ?)',
    [
      entry.at,
      cut(entry.actor),
      cut(entry.client),
      entry.action,
      cut(entry.target) ?? '',
      entry.result,
      cut(entry.detail),
    ],
  )
}

/** The newest first. */
export async function queryAudit(
  queries: Queries,
  { actor, action, target, since, until, before, limit }: AuditQuery,
): Promise<readonly (AuditEntry & { readonly id: number })[]> {
  const most = Number.MAX_SAFE_INTEGER
  const rows = await queries.all<AuditRow>(
    `SELECT id, at, actor, client, action, target, result, detail FROM audit_log
     WHERE at >= ? AND at < ? AND id < ? AND (? = 0 OR actor = ?) AND (? = 0 OR target = ?)
       AND (? = 0 OR action = ? OR action LIKE ?)
     ORDER BY id DESC LIMIT ?`,
    [
      since ?? 0,
      until ?? most,
      before ?? most,
      ...chosen(actor),
      ...chosen(target),
      ...chosen(action),
      `${(action ?? '').replaceAll(/[^a-z]/g, '')}.%`,
      limit,
    ],
  )
  return rows.map((row) => ({
    ...row,
    actor: row.actor ?? undefined,
    client: row.client ?? undefined,
    detail: row.detail ?? undefined,
  }))
}

/** How many entries from before `until` were removed. */
export async function cutAudit(queries: Queries, until: number): Promise<number> {
  return queries.run('DELETE FROM audit_log WHERE at < ?', [until])
}

function chosen(value: string | undefined): readonly [number, string] {
  return value === undefined ? [0, ''] : [1, value]
}

/** Without what would move a terminal that shows it. */
function cut(text: string | undefined): string | null {
  return text === undefined ? null : text.slice(0, maxText).replaceAll(/\p{C}/gu, '?')
}
