import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { parseFilterTime } from '../terminal/go-time.ts'
import { cell, withAdminApi } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

interface AuditFlags extends ListFlags {
  readonly action: string | undefined
  readonly actor: string | undefined
  readonly limit: number
  readonly since: string | undefined
  readonly target: string | undefined
  readonly until: string | undefined
}

/** `registry audit ls HOST` */
export async function list(
  context: Context,
  flags: AuditFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const query = new URLSearchParams({ n: String(Math.min(1000, Math.max(1, flags.limit))) })
  for (const name of ['actor', 'action', 'target'] as const) {
    const value = flags[name]
    if (value !== undefined) query.set(name, value)
  }
  for (const name of ['since', 'until'] as const) {
    const value = flags[name]
    if (value !== undefined) query.set(name, timeOf(value, context))
  }
  const rows = await withAdminApi(context, host, (api) =>
    api.list(`audit?${query.toString()}`, 'entries', flags.limit),
  )
  await printList(context, {
    flags,
    rows,
    fields: {
      ID: { header: 'ID', value: (row) => cell(row['id']) },
      At: { header: 'AT', value: (row) => cell(row['at']).slice(0, 19).replace('T', ' ') },
      Actor: { header: 'ACTOR', value: (row) => cell(row['actor']) || '-' },
      Client: { header: 'CLIENT', value: (row) => cell(row['client']) || '-' },
      Action: { header: 'ACTION', value: (row) => cell(row['action']) },
      Target: { header: 'TARGET', value: (row) => cell(row['target']) },
      Result: { header: 'RESULT', value: (row) => cell(row['result']) },
      Detail: { header: 'DETAIL', value: (row) => cell(row['detail']) },
    },
    defaultTable: ['ID', 'At', 'Actor', 'Client', 'Action', 'Target', 'Result', 'Detail'],
    typeName: '*registry.auditContext',
  })
}

/** `registry audit prune HOST --until TIME` */
export async function prune(
  context: Context,
  { until }: { readonly until: string | undefined },
  [host = '']: readonly string[],
): Promise<void> {
  if (until === undefined) {
    throw new CommandFailure('say up to when with --until, like --until 2160h for 90 days')
  }
  const query = new URLSearchParams({ until: timeOf(until, context) })
  const { removed } = await withAdminApi(context, host, (api) =>
    api.ask('DELETE', `audit?${query.toString()}`),
  )
  context.stdout.write(`Removed entries: ${cell(removed)}\n`)
}

function timeOf(text: string, { now }: Context): string {
  try {
    return new Date(parseFilterTime(text, now())).toISOString()
  } catch (error) {
    throw plainFailure(error)
  }
}
