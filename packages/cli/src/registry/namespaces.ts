import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { renderRows } from '../terminal/format-rows.ts'
import { cell, type Document, time, withAdminApi } from './admin-api.ts'

interface ListFlags {
  readonly format: string | undefined
  readonly quiet: boolean
}

/** `registry namespace ls HOST` */
export async function list(
  context: Context,
  { format, quiet }: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('namespaces', 'namespaces'))
  const text = await renderRows({
    rows,
    fields: {
      Name: { header: 'NAME', value: (row: Document) => cell(row['name']) },
      Role: { header: 'YOUR ROLE', value: (row) => cell(row['role']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      CreatedBy: { header: 'CREATED BY', value: (row) => cell(row['created_by']) },
    },
    defaultTable: ['Name', 'Role', 'Created', 'CreatedBy'],
    format,
    quiet: quiet ? 'Name' : undefined,
    typeName: '*registry.namespaceContext',
  }).catch((error: unknown) => {
    throw plainFailure(error)
  })
  context.stdout.write(text)
}

/** `registry namespace create HOST NAME` */
export async function create(
  context: Context,
  { owner }: { readonly owner: string | undefined },
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const body = { name, ...(owner === undefined ? {} : { owner }) }
  await withAdminApi(context, host, (api) => api.ask('POST', 'namespaces', body))
  context.stdout.write(`${name}\n`)
}

/** `registry namespace rm HOST NAME...` */
export async function remove(
  context: Context,
  _flags: object,
  [host = '', ...names]: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, async (api) => {
    for (const name of names) {
      await api.ask('DELETE', `namespaces/${encodeURIComponent(name)}`)
      context.stdout.write(`${name}\n`)
    }
  })
}

/** `registry namespace members HOST NAME` */
export async function members(
  context: Context,
  { format, quiet }: ListFlags,
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) =>
    api.list(`namespaces/${encodeURIComponent(name)}/members`, 'members'),
  )
  const text = await renderRows({
    rows,
    fields: {
      Account: { header: 'ACCOUNT', value: (row: Document) => cell(row['account']) },
      Role: { header: 'ROLE', value: (row) => cell(row['role']) },
    },
    defaultTable: ['Account', 'Role'],
    format,
    quiet: quiet ? 'Account' : undefined,
    typeName: '*registry.memberContext',
  }).catch((error: unknown) => {
    throw plainFailure(error)
  })
  context.stdout.write(text)
}

/** `registry namespace add HOST NAME ACCOUNT` */
export async function addMember(
  context: Context,
  { role }: { readonly role: string },
  [host = '', name = '', account = '']: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, (api) => api.ask('PUT', memberPath(name, account), { role }))
  context.stdout.write(`${account} is ${role} of ${name}\n`)
}

/** `registry namespace remove HOST NAME ACCOUNT` */
export async function removeMember(
  context: Context,
  _flags: object,
  [host = '', name = '', account = '']: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, (api) => api.ask('DELETE', memberPath(name, account)))
  context.stdout.write(`${account}\n`)
}

function memberPath(name: string, account: string): string {
  return `namespaces/${encodeURIComponent(name)}/members/${encodeURIComponent(account)}`
}
