import type { Context } from '../context.ts'
import { cell, readScope, time, removeEach, withAdminApi, words } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry grant ls HOST` */
export async function list(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('grants', 'grants'))
  await printList(context, {
    flags,
    rows,
    fields: {
      ID: { header: 'GRANT ID', value: (row) => cell(row['id']) },
      Subject: { header: 'TO', value: (row) => subjectOf(row['subject']) },
      Repository: { header: 'REPOSITORIES', value: (row) => cell(row['repository']) },
      Actions: { header: 'ACTIONS', value: (row) => words(row['actions']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      CreatedBy: { header: 'CREATED BY', value: (row) => cell(row['created_by']) },
    },
    defaultTable: ['ID', 'Subject', 'Repository', 'Actions', 'Created', 'CreatedBy'],
    quiet: 'ID',
    typeName: '*registry.grantContext',
  })
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
  await withAdminApi(context, host, (api) =>
    removeEach(context, { api, path: 'grants', names: ids }),
  )
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
