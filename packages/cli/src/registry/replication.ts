import type { Context } from '../context.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { formatSize } from '../terminal/size.ts'
import { cell, type Document, time, withAdminApi, words } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry replication ls HOST` */
export async function list(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('replication', 'rules'))
  await printList(context, {
    flags,
    rows,
    fields: {
      Name: { header: 'NAME', value: (row) => cell(row['name']) },
      Direction: { header: 'DIRECTION', value: (row) => cell(row['direction']) },
      Remote: { header: 'REMOTE', value: (row) => cell(row['remote']) },
      Repositories: { header: 'REPOSITORIES', value: (row) => words(row['repositories']) },
      When: { header: 'WHEN', value: whenOf },
      LastRun: { header: 'LAST RUN', value: (row) => time(lastOf(row)['started_at']) },
      State: { header: 'STATE', value: (row) => cell(lastOf(row)['state']) },
    },
    defaultTable: ['Name', 'Direction', 'Remote', 'Repositories', 'When', 'LastRun', 'State'],
    quiet: 'Name',
    typeName: '*registry.replicationContext',
  })
}

/** `registry replication runs HOST RULE` */
export async function runs(
  context: Context,
  flags: ListFlags,
  [host = '', rule = '']: readonly string[],
): Promise<void> {
  const path = `replication/${encodeURIComponent(rule)}`
  const rows = await withAdminApi(context, host, (api) => api.list(path, 'runs'))
  await printList(context, {
    flags,
    rows,
    fields: {
      ID: { header: 'RUN', value: (row) => cell(row['id']) },
      Started: { header: 'STARTED', value: (row) => time(row['started_at']) },
      Cause: { header: 'CAUSE', value: (row) => cell(row['cause']) },
      State: { header: 'STATE', value: (row) => cell(row['state']) },
      Copied: { header: 'COPIED', value: (row) => cell(row['copied']) },
      Same: { header: 'SAME', value: (row) => cell(row['same']) },
      Deleted: { header: 'DELETED', value: (row) => cell(row['deleted']) },
      Failed: { header: 'FAILED', value: (row) => cell(row['failed']) },
      Size: { header: 'SIZE', value: (row) => formatSize(Number(row['moved_bytes'] ?? 0)) },
      Reason: { header: 'FIRST FAILURE', value: reasonOf },
    },
    defaultTable: [
      'ID',
      'Started',
      'Cause',
      'State',
      'Copied',
      'Same',
      'Deleted',
      'Failed',
      'Size',
      'Reason',
    ],
    quiet: 'ID',
    typeName: '*registry.runContext',
  })
}

/** `registry replication run HOST RULE` */
export async function runRule(
  context: Context,
  { dryRun }: { readonly dryRun: boolean },
  [host = '', rule = '']: readonly string[],
): Promise<void> {
  const path = `replication/${encodeURIComponent(rule)}`
  if (!dryRun) {
    await withAdminApi(context, host, (api) => api.ask('POST', path))
    context.stdout.write(`${rule} runs in the background\n`)
    return
  }
  const { report, steps } = await withAdminApi(context, host, (api) =>
    api.ask('POST', `${path}?dry-run=true`),
  )
  for (const step of Array.isArray(steps) ? steps : []) {
    const line = stepLine(step as Document)
    if (line !== undefined) context.stdout.write(`${escapeTerminal(line)}\n`)
  }
  const { copied, deleted, failed, same } = (report ?? {}) as Document
  context.stdout.write(
    `${cell(copied)} to copy, ${cell(deleted)} to delete, ${cell(same)} the same, ${cell(failed)} failed\n`,
  )
}

function stepLine(step: Document): string | undefined {
  const { message, reference, repository, source, target, type } = step
  const from = `${cell(source)}:${cell(reference)}`
  switch (type) {
    case 'would-copy':
      return `copy    ${from} -> ${cell(target)}:${cell(reference)}`
    case 'would-delete':
      return `delete  ${cell(target)}:${cell(reference)}`
    case 'failed':
      return `failed  ${cell(repository)}:${cell(reference)}: ${cell(message)}`
    default:
      return undefined
  }
}

function lastOf(row: Document): Document {
  const last = row['last_run']
  return typeof last === 'object' && last !== null ? (last as Document) : {}
}

function whenOf(row: Document): string {
  const every = row['every_seconds']
  const times = [
    ...(typeof every === 'number' ? [`every ${every} s`] : []),
    ...(row['on_push'] === true ? ['on push'] : []),
  ]
  return times.length === 0 ? 'when asked' : times.join(', ')
}

function reasonOf({ failures }: Document): string {
  const [first] = Array.isArray(failures) ? (failures as readonly Document[]) : []
  if (first === undefined) return ''
  const { code, message, reference, repository } = first
  const what = [cell(repository), cell(reference)].filter((part) => part !== '').join(':')
  return escapeTerminal(`${what === '' ? '' : `${what}: `}${cell(message) || cell(code)}`)
}
