import type { Context } from '../context.ts'
import { CommandFailure } from '../failure.ts'
import { cell, readTruth, time, removeEach, withAdminApi, words, yes } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry webhook ls HOST [NAMESPACE]` */
export async function list(
  context: Context,
  flags: ListFlags,
  [host = '', namespace]: readonly string[],
): Promise<void> {
  const query = namespace === undefined ? '' : `?namespace=${encodeURIComponent(namespace)}`
  const rows = await withAdminApi(context, host, (api) => api.list(`webhooks${query}`, 'webhooks'))
  await printList(context, {
    flags,
    rows,
    fields: {
      ID: { header: 'WEBHOOK ID', value: (row) => cell(row['id']) },
      Enabled: { header: 'ENABLED', value: (row) => yes(row['is_enabled']) },
      Repositories: { header: 'REPOSITORIES', value: (row) => cell(row['repositories']) },
      Types: { header: 'TYPES', value: (row) => shortTypes(row['types']) },
      URL: { header: 'URL', value: (row) => cell(row['url']) },
    },
    defaultTable: ['ID', 'Enabled', 'Repositories', 'Types', 'URL'],
    quiet: 'ID',
    typeName: '*registry.webhookContext',
  })
}

interface CreateFlags {
  readonly namespace: string | undefined
  readonly repositories: string | undefined
  readonly type: readonly string[]
}

/** `registry webhook create HOST URL` */
export async function create(
  context: Context,
  { namespace, repositories, type }: CreateFlags,
  [host = '', url = '']: readonly string[],
): Promise<void> {
  const made = await withAdminApi(context, host, (api) =>
    api.ask('POST', 'webhooks', {
      url,
      types: type,
      ...(namespace === undefined ? {} : { namespace }),
      ...(repositories === undefined ? {} : { repositories }),
    }),
  )
  // The secret alone is on standard output, so that it can be piped.
  context.stderr.write(`webhook ${cell(made['id'])}\nIts secret is shown only now:\n`)
  context.stdout.write(`${cell(made['secret'])}\n`)
}

/** `registry webhook set HOST ID` */
export async function set(
  context: Context,
  flags: { readonly disabled: string | undefined },
  [host = '', id = '']: readonly string[],
): Promise<void> {
  const isDisabled = readTruth('disabled', flags.disabled)
  if (isDisabled === undefined) throw new CommandFailure('nothing to change: give --disabled')
  await withAdminApi(context, host, (api) =>
    api.ask('PATCH', `webhooks/${encodeURIComponent(id)}`, { is_enabled: !isDisabled }),
  )
  context.stdout.write(`${id}\n`)
}

/** `registry webhook rm HOST ID...` */
export async function remove(
  context: Context,
  _flags: object,
  [host = '', ...ids]: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, (api) =>
    removeEach(context, { api, path: 'webhooks', names: ids }),
  )
}

/** `registry webhook test HOST ID` */
export async function test(
  context: Context,
  _flags: object,
  [host = '', id = '']: readonly string[],
): Promise<void> {
  const sent = await withAdminApi(context, host, (api) =>
    api.ask('POST', `webhooks/${encodeURIComponent(id)}/test`),
  )
  const outcome = cell(sent['error']) || `status ${cell(sent['status'])}`
  if (sent['state'] !== 'delivered') {
    throw new CommandFailure(`the message was not taken: ${outcome}`)
  }
  context.stdout.write(`delivered: ${outcome} in ${cell(sent['duration_ms'])} ms\n`)
}

/** `registry webhook log HOST ID` */
export async function log(
  context: Context,
  { format, quiet, limit }: ListFlags & { readonly limit: number },
  [host = '', id = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) =>
    api.list(`webhooks/${encodeURIComponent(id)}/deliveries`, 'deliveries', limit),
  )
  await printList(context, {
    flags: { format, quiet },
    rows,
    fields: {
      ID: { header: 'MESSAGE ID', value: (row) => cell(row['id']) },
      Type: { header: 'TYPE', value: (row) => shortType(cell(row['type'])) },
      State: { header: 'STATE', value: (row) => cell(row['state']) },
      Attempts: { header: 'ATTEMPTS', value: (row) => cell(row['attempts']) },
      Status: { header: 'STATUS', value: (row) => cell(row['status']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      Error: { header: 'ERROR', value: (row) => cell(row['error']) },
    },
    defaultTable: ['ID', 'Type', 'State', 'Attempts', 'Status', 'Created', 'Error'],
    quiet: 'ID',
    typeName: '*registry.deliveryContext',
  })
}

function shortTypes(types: unknown): string {
  return words(types).split(',').map(shortType).join(',')
}

function shortType(type: string): string {
  return type.replace(/^dev\.katman\.registry\./, '')
}
