import type { Queries } from '../database/database.ts'

/**
 * Says that somebody's rights changed. In the transaction that changes them, so that whoever sees the new number
 * sees the new rights.
 */
export async function bumpGeneration(transaction: Queries): Promise<void> {
  await transaction.run(
    `INSERT INTO settings (key, value) VALUES ('accounts-generation', '1')
     ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)`,
  )
}

export async function readGeneration(database: Queries): Promise<string> {
  const row = await database.get<{ readonly value: string }>(
    "SELECT value FROM settings WHERE key = 'accounts-generation'",
  )
  return row?.value ?? '0'
}
