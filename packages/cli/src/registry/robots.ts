import type { Context } from '../context.ts'
import {
  cell,
  readExpiry,
  readScope,
  readTruth,
  showSecret,
  time,
  removeEach,
  withAdminApi,
  yes,
} from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry robot ls HOST [NAMESPACE]` */
export async function list(
  context: Context,
  flags: ListFlags,
  [host = '', namespace]: readonly string[],
): Promise<void> {
  const query = namespace === undefined ? '' : `?namespace=${encodeURIComponent(namespace)}`
  const rows = await withAdminApi(context, host, (api) => api.list(`robots${query}`, 'robots'))
  await printList(context, {
    flags,
    rows,
    fields: {
      Name: { header: 'NAME', value: (row) => cell(row['name']) },
      Disabled: { header: 'DISABLED', value: (row) => yes(row['is_disabled']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      Description: { header: 'DESCRIPTION', value: (row) => cell(row['description']) },
    },
    defaultTable: ['Name', 'Disabled', 'Created', 'Description'],
    quiet: 'Name',
    typeName: '*registry.robotContext',
  })
}

interface CreateFlags {
  readonly description: string | undefined
  readonly expires: string | undefined
  readonly grant: readonly string[]
}

/** `registry robot create HOST NAMESPACE+NAME` */
export async function create(
  context: Context,
  { description, expires, grant }: CreateFlags,
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const made = await withAdminApi(context, host, (api) =>
    api.ask('POST', 'robots', {
      name,
      ...(description === undefined ? {} : { description }),
      ...(grant.length === 0 ? {} : { grants: grant.map(readScope) }),
      ...readExpiry(expires),
    }),
  )
  showSecret(context, made['token'])
}

/** `registry robot set HOST NAMESPACE+NAME` */
export async function set(
  context: Context,
  flags: { readonly disabled: string | undefined; readonly description: string | undefined },
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const changes = {
    is_disabled: readTruth('disabled', flags.disabled),
    description: flags.description,
  }
  await withAdminApi(context, host, (api) =>
    api.ask('PATCH', `robots/${encodeURIComponent(name)}`, changes),
  )
  context.stdout.write(`${name}\n`)
}

/** `registry robot rm HOST NAMESPACE+NAME...` */
export async function remove(
  context: Context,
  _flags: object,
  [host = '', ...names]: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, (api) => removeEach(context, { api, path: 'robots', names }))
}
