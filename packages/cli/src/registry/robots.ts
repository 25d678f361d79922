import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { renderRows } from '../terminal/format-rows.ts'
import {
  cell,
  type Document,
  readExpiry,
  readScope,
  readTruth,
  showSecret,
  time,
  withAdminApi,
  yes,
} from './admin-api.ts'

interface ListFlags {
  readonly format: string | undefined
  readonly quiet: boolean
}

/** `registry robot ls HOST [NAMESPACE]` */
export async function list(
  context: Context,
  { format, quiet }: ListFlags,
  [host = '', namespace]: readonly string[],
): Promise<void> {
  const query = namespace === undefined ? '' : `?namespace=${encodeURIComponent(namespace)}`
  const rows = await withAdminApi(context, host, (api) => api.list(`robots${query}`, 'robots'))
  const text = await renderRows({
    rows,
    fields: {
      Name: { header: 'NAME', value: (row: Document) => cell(row['name']) },
      Disabled: { header: 'DISABLED', value: (row) => yes(row['is_disabled']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      Description: { header: 'DESCRIPTION', value: (row) => cell(row['description']) },
    },
    defaultTable: ['Name', 'Disabled', 'Created', 'Description'],
    format,
    quiet: quiet ? 'Name' : undefined,
    typeName: '*registry.robotContext',
  }).catch((error: unknown) => {
    throw plainFailure(error)
  })
  context.stdout.write(text)
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
  await withAdminApi(context, host, async (api) => {
    for (const name of names) {
      await api.ask('DELETE', `robots/${encodeURIComponent(name)}`)
      context.stdout.write(`${name}\n`)
    }
  })
}
