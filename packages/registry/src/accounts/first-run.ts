import type { Database } from '../database/database.ts'
import { createAccount } from './account-store.ts'
import { writeAudit } from './audit-log.ts'
import { createToken } from './token-store.ts'

/** What is printed once, when a registry with accounts starts for the first time. */
export interface FirstRun {
  /** The administrator's account. */
  readonly account: string
  readonly token: string
}

/**
 * Makes the first administrator with a token instead of a password, once in the life of the database, however many
 * replicas start together. Undefined at every later start: only the hash is kept.
 */
export async function makeFirstRunToken(
  database: Database,
  now: number,
): Promise<FirstRun | undefined> {
  return database.transaction(async (transaction) => {
    const isFirst = await transaction.run(
      "INSERT INTO settings (key, value) VALUES ('first-run', ?) ON CONFLICT (key) DO NOTHING",
      [String(now)],
    )
    if (isFirst === 0) return undefined
    const account = await createAccount(
      transaction,
      { name: 'admin', kind: 'person', description: 'First administrator', isAdmin: true },
      now,
    )
    const { secret } = await createToken(
      transaction,
      { accountID: account.id, kind: 'personal', name: 'first run' },
      now,
    )
    await writeAudit(transaction, {
      at: now,
      action: 'account.create',
      target: account.name,
      result: 'done',
      detail: 'first run',
    })
    return { account: account.name, token: secret }
  })
}
