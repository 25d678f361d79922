import type { Context } from '../context.ts'
import { cell, time, removeEach, withAdminApi } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry namespace ls HOST` */
export async function list(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('namespaces', 'namespaces'))
  await printList(context, {
    flags,
    rows,
    fields: {
      Name: { header: 'NAME', value: (row) => cell(row['name']) },
      Role: { header: 'YOUR ROLE', value: (row) => cell(row['role']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      CreatedBy: { header: 'CREATED BY', value: (row) => cell(row['created_by']) },
    },
    defaultTable: ['Name', 'Role', 'Created', 'CreatedBy'],
    quiet: 'Name',
    typeName: '*registry.namespaceContext',
  })
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
  await withAdminApi(context, host, (api) =>
    removeEach(context, { api, path: 'namespaces', names }),
  )
}

/** `registry namespace members HOST NAME` */
export async function members(
  context: Context,
  flags: ListFlags,
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) =>
    api.list(`namespaces/${encodeURIComponent(name)}/members`, 'members'),
  )
  await printList(context, {
    flags,
    rows,
    fields: {
      Account: { header: 'ACCOUNT', value: (row) => cell(row['account']) },
      Role: { header: 'ROLE', value: (row) => cell(row['role']) },
    },
    defaultTable: ['Account', 'Role'],
    quiet: 'Account',
    typeName: '*registry.memberContext',
  })
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
