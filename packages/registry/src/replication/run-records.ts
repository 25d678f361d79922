import type { Database } from '../database/database.ts'
import type { RunFailure, RunReport } from './run-rule.ts'

/** One run of a rule as it is written down. */
export interface RunRecord {
  readonly id: number
  readonly rule: string
  /** `schedule`, `push` or `asked`. */
  readonly cause: string
  /** `interrupted` is one whose process ended: the next goes on where it was. */
  readonly state: 'running' | 'done' | 'incomplete' | 'failed' | 'interrupted'
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly updatedAt: number
  readonly finishedAt: number | undefined
  readonly report: RunReport
  /** The first 100. */
  readonly failures: readonly RunFailure[]
}

/** Runs of a rule that are kept. */
const keptRuns = 50
/** A run that told nothing for so long belongs to a dead process, in ms. */
const silentMs = 5 * 60_000

interface Row {
  readonly id: number
  readonly rule: string
  readonly cause: string
  readonly state: RunRecord['state']
  readonly started_at: number
  readonly updated_at: number
  readonly finished_at: number | null
  readonly counts: string
  readonly failures: string
}

export async function beginRun(
  database: Database,
  { rule, cause, now }: { readonly rule: string; readonly cause: string; readonly now: number },
): Promise<number> {
  return database.transaction(async (transaction) => {
    await transaction.run(
      "UPDATE replication_runs SET state = 'interrupted' WHERE rule = ? AND state = 'running' AND updated_at < ?",
      [rule, now - silentMs],
    )
    const row = await transaction.get<{ readonly id: number }>(
      `INSERT INTO replication_runs (rule, cause, state, started_at, updated_at, counts, failures)
       VALUES (?, ?, 'running', ?, ?, '{}', '[]') RETURNING id`,
      [rule, cause, now, now],
    )
    await transaction.run(
      `DELETE FROM replication_runs WHERE rule = ? AND id <=
         (SELECT id FROM replication_runs WHERE rule = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      [rule, rule, keptRuns],
    )
    if (row === undefined) throw new TypeError('no id for a run')
    return row.id
  })
}

export async function saveRun(
  database: Database,
  run: {
    readonly id: number
    readonly state: RunRecord['state']
    readonly report: RunReport
    readonly failures: readonly RunFailure[]
    readonly now: number
  },
): Promise<void> {
  const isEnd = run.state !== 'running'
  await database.transaction(
    (transaction) =>
      transaction.run(
        'UPDATE replication_runs SET state = ?, updated_at = ?, finished_at = ?, counts = ?, failures = ? WHERE id = ?',
        [
          run.state,
          run.now,
          isEnd ? run.now : null,
          JSON.stringify(run.report),
          JSON.stringify(run.failures),
          run.id,
        ],
      ),
    { isDurable: isEnd },
  )
}

/** The newest runs first. */
export async function listRuns(
  database: Database,
  rule: string,
  limit: number,
): Promise<readonly RunRecord[]> {
  const rows = await database.all<Row>(
    'SELECT * FROM replication_runs WHERE rule = ? ORDER BY id DESC LIMIT ?',
    [rule, limit],
  )
  return rows.map((row) => ({
    id: row.id,
    rule: row.rule,
    cause: row.cause,
    state: row.state,
    startedAt: row.started_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at ?? undefined,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only saveRun writes it
    report: { ...nothing, ...(JSON.parse(row.counts) as Partial<RunReport>) },
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only saveRun writes it
    failures: JSON.parse(row.failures) as readonly RunFailure[],
  }))
}

const nothing: RunReport = {
  copied: 0,
  same: 0,
  deleted: 0,
  failed: 0,
  movedBlobs: 0,
  movedBytes: 0,
}
