import type { Context } from '../context.ts'
import {
  type AdminApi,
  cell,
  type Document,
  readExpiry,
  readScope,
  showSecret,
  time,
  removeEach,
  withAdminApi,
  words,
} from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

interface TokenListFlags extends ListFlags {
  readonly account: string | undefined
}

/** `registry token ls HOST` */
export async function list(
  context: Context,
  { account, format, quiet }: TokenListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, async (api) =>
    api.list(`${await pathOf(api, account)}/tokens`, 'tokens'),
  )
  await printList(context, {
    flags: { format, quiet },
    rows,
    fields: {
      ID: { header: 'TOKEN ID', value: (row) => cell(row['id']) },
      Name: { header: 'NAME', value: (row) => cell(row['name']) },
      Scopes: { header: 'SCOPES', value: (row) => scopesOf(row['scopes']) },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      Expires: { header: 'EXPIRES', value: (row) => time(row['expires_at']) },
      LastUsed: { header: 'LAST USED', value: (row) => time(row['last_used_at']) },
    },
    defaultTable: ['ID', 'Name', 'Scopes', 'Created', 'Expires', 'LastUsed'],
    quiet: 'ID',
    typeName: '*registry.tokenContext',
  })
}

interface CreateFlags {
  readonly account: string | undefined
  readonly expires: string | undefined
  readonly scope: readonly string[]
}

/** `registry token create HOST NAME` */
export async function create(
  context: Context,
  { account, expires, scope }: CreateFlags,
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const body = {
    name,
    ...readExpiry(expires),
    ...(scope.length === 0 ? {} : { scopes: scope.map(readScope) }),
  }
  const made = await withAdminApi(context, host, async (api) =>
    api.ask('POST', `${await pathOf(api, account)}/tokens`, body),
  )
  showSecret(context, made['token'])
}

/** `registry token rm HOST ID...` */
export async function remove(
  context: Context,
  { account }: { readonly account: string | undefined },
  [host = '', ...ids]: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, async (api) => {
    const path = await pathOf(api, account)
    await removeEach(context, { api, path: `${path}/tokens`, names: ids })
  })
}

async function pathOf(api: AdminApi, account: string | undefined): Promise<string> {
  const name = account ?? cell((await api.ask('GET', 'whoami'))['name'])
  return `accounts/${encodeURIComponent(name)}`
}

function scopesOf(value: unknown): string {
  if (!Array.isArray(value)) return 'all'
  return value
    .map((scope: Document) => `${cell(scope['repository'])}:${words(scope['actions'])}`)
    .join(' ')
}
