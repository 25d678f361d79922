import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { renderRows } from '../terminal/format-rows.ts'
import { cell, type Document, readScope, time, withAdminApi, words } from './admin-api.ts'

interface ListFlags {
  readonly format: string | undefined
  readonly quiet: boolean
}

/** `registry grant ls HOST` */
export async function list(
  context: Context,
  { format, quiet }: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('grants', 'grants'))
  const text = await renderRows({
    rows,
    fields: {
      ID: { header: 'GRANT ID', value: (row: Document) => cell(row['id']) },
      Subject: { header: 'TO', value: (row) => subjectOf(row['subject']) },
      Repository: { header: 'REPOSITORIES', value: (row) => cell(row['repository']) },
      Actions: { header: 'ACTIONS', value: (row) => words(row['actions']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      CreatedBy: { header: 'CREATED BY', value: (row) => cell(row['created_by']) },
    },
    defaultTable: ['ID', 'Subject', 'Repository', 'Actions', 'Created', 'CreatedBy'],
    format,
    quiet: quiet ? 'ID' : undefined,
    typeName: '*registry.grantContext',
  }).catch((error: unknown) => {
    throw plainFailure(error)
  })
  context.stdout.write(text)
}

/** `registry grant create HOST TO PATTERN:ACTIONS` */
export async function create(
  context: Context,
  _flags: object,
  [host = '', to = '', scope = '']: readonly string[],
): Promise<void> {
  const subject = to === 'everyone' || to === 'anonymous' ? to : { account: to }
  const made = await withAdminApi(context, host, (api) =>
    api.ask('POST', 'grants', { subject, ...readScope(scope) }),
  )
  context.stdout.write(`${cell(made['id'])}\n`)
}

/** `registry grant rm HOST ID...` */
export async function remove(
  context: Context,
  _flags: object,
  [host = '', ...ids]: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, async (api) => {
    for (const id of ids) {
      await api.ask('DELETE', `grants/${encodeURIComponent(id)}`)
      context.stdout.write(`${id}\n`)
    }
  })
}

/** `registry visibility HOST REPOSITORY [public|private]` */
export async function visibility(
  context: Context,
  _flags: object,
  [host = '', repository = '', wanted]: readonly string[],
): Promise<void> {
  const path = `repositories/${repository.split('/').map(encodeURIComponent).join('/')}/visibility`
  const answer = await withAdminApi(context, host, (api) =>
    wanted === undefined ? api.ask('GET', path) : api.ask('PUT', path, { visibility: wanted }),
  )
  context.stdout.write(`${cell(answer['visibility'])}\n`)
}

function subjectOf(value: unknown): string {
  return typeof value === 'object' && value !== null && 'account' in value
    ? cell(value.account)
    : cell(value)
}
