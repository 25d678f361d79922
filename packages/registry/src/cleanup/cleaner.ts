import type { ChangeListener } from '../change.ts'
import type { Database, Engine } from '../database/database.ts'
import type { ObjectStore } from '../object-store.ts'

/** What every part of clean-up works with. */
export interface Cleaner {
  readonly database: Database
  readonly objects: ObjectStore
  /** Tells every listener of a change that clean-up makes. */
  readonly tell: ChangeListener
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly options: CleanupTimes
  /** Tells the people who run the registry: one line. */
  readonly warn: (line: string) => void
}

/** All in milliseconds. */
export interface CleanupTimes {
  /** From when something may have become garbage to the first look. Default a day. */
  readonly reviewAfterMs: number
  /** From when a blob was found to be garbage to its end; an upload brings it back meanwhile. Default 15 minutes. */
  readonly condemnedMs: number
  /** What has no tag goes after so long. Default never. */
  readonly untaggedMs: number | undefined
  /** Whether that is also so for what refers to an image that is gone (signatures, SBOMs). Default true. */
  readonly areReferrersRemoved: boolean
  /** What was deleted can come back for so long. Default 0: not at all. */
  readonly undeleteMs: number
  /** An object that no row knows is deleted when it is older. Default a day. */
  readonly orphanMs: number
  /** An object stays so long after its last row: who just read that row is about to open it. Default 5 seconds. */
  readonly readMs: number
  /** An upload that nobody goes on with is given up after so long. Default 7 days. */
  readonly uploadsMs: number
}

const minute = 60_000
const day = 24 * 60 * minute

export const defaultTimes: CleanupTimes = {
  reviewAfterMs: day,
  condemnedMs: 15 * minute,
  untaggedMs: undefined,
  areReferrersRemoved: true,
  undeleteMs: 0,
  orphanMs: day,
  readMs: 5000,
  uploadsMs: 7 * day,
}

/** The end of a SELECT whose row nobody else may change or refer to before the transaction ends. SQLite has one writer. */
export function lockClause(engine: Engine): string {
  return engine === 'postgres' ? ' FOR UPDATE' : ''
}
