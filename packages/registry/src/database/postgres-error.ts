import { KatmanError } from '@katman/oci'
import type { Violation } from './database.ts'

/** What is wrong, for the decision whether to try again. */
export type Trouble =
  /** Another writer was in the way; the transaction was undone. */
  | 'conflict'
  /** The connection is lost, or none could be had. */
  | 'gone'
  /** It took longer than it may. */
  | 'slow'
  /** The statement itself. */
  | 'refused'

export function troubleOf(error: unknown): Trouble {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  if (code === '40P01' || code === '40001') return 'conflict'
  // A table was changed by a newer version; a new connection plans the statement again.
  if (code === '0A000' && message.includes('cached plan')) return 'gone'
  if (code === '57014' || code === '55P03' || code?.startsWith('53') === true) {
    return code === '53300' ? 'gone' : 'slow'
  }
  if (isSqlState(code)) return isGoneState(code) ? 'gone' : 'refused'
  if (code !== undefined && networkCodes.has(code)) return 'gone'
  return /^(?:Connection terminated|timeout exceeded|Query read timeout|Client (?:was closed|has encountered))/.test(
    message,
  )
    ? 'gone'
    : 'refused'
}

/** The error that callers see. */
export function databaseError(error: unknown): KatmanError {
  const trouble = troubleOf(error)
  const reason = error instanceof Error ? error.message : String(error)
  const violates = violations.get(codeOf(error) ?? '')
  if (trouble === 'refused') {
    return new KatmanError('DATABASE_FAILED', `the database refused a statement: ${reason}`, {
      cause: error,
      hint: 'check the database and its log',
      ...(violates === undefined ? {} : { details: { violates } }),
    })
  }
  const what = {
    conflict: 'is busy',
    gone: 'cannot be reached',
    slow: 'takes too long',
  }[trouble]
  return new KatmanError('DATABASE_UNAVAILABLE', `the database ${what}: ${reason}`, {
    cause: error,
    hint: 'try again; check that the database runs',
  })
}

/** The connection broke when a change may already have been made. */
export function outcomeUnknown(cause: unknown): KatmanError {
  return new KatmanError(
    'DATABASE_UNAVAILABLE',
    'the database went away before it answered: whether the change was made is unknown',
    { cause, hint: 'look whether it was made, or try again', details: { outcome: 'unknown' } },
  )
}

const violations: ReadonlyMap<string, Violation> = new Map([
  ['23505', 'unique'],
  ['23503', 'foreign-key'],
  ['23502', 'not-null'],
  ['23514', 'check'],
])

const networkCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])

/** Shut down, starting, crashed, not the one that writes any more, or a connection that was ended for its idleness. */
function isGoneState(code: string): boolean {
  return (
    code.startsWith('08') || ['57P01', '57P02', '57P03', '57P05', '25006', '25P03'].includes(code)
  )
}

function isSqlState(code: string | undefined): code is string {
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !networkCodes.has(code)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
