import type { Context } from '../context.ts'
import { CommandFailure } from '../failure.ts'
import { standardInput } from '../standard-input.ts'
import { readHidden, readStdin } from '../terminal/prompt.ts'
import { cell, readTruth, time, removeEach, withAdminApi, yes } from './admin-api.ts'
import { type ListFlags, printList } from './print-list.ts'

/** `registry account ls HOST` */
export async function list(
  context: Context,
  flags: ListFlags,
  [host = '']: readonly string[],
): Promise<void> {
  const rows = await withAdminApi(context, host, (api) => api.list('accounts', 'accounts'))
  await printList(context, {
    flags,
    rows,
    fields: {
      Name: { header: 'NAME', value: (row) => cell(row['name']) },
      Admin: { header: 'ADMIN', value: (row) => yes(row['is_admin']) },
      Disabled: { header: 'DISABLED', value: (row) => yes(row['is_disabled']) },
      Login: {
        header: 'LOGIN',
        value: (row) =>
          row['has_password'] === true ? 'password' : cell(row['issuer']) || 'token',
      },
      Created: { header: 'CREATED', value: (row) => time(row['created_at']) },
      Description: { header: 'DESCRIPTION', value: (row) => cell(row['description']) },
    },
    defaultTable: ['Name', 'Admin', 'Disabled', 'Login', 'Created', 'Description'],
    quiet: 'Name',
    typeName: '*registry.accountContext',
  })
}

interface CreateFlags {
  readonly admin: boolean
  readonly createNamespaces: boolean
  readonly description: string | undefined
  readonly passwordStdin: boolean
}

/** `registry account create HOST NAME` */
export async function create(
  context: Context,
  flags: CreateFlags,
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const password = await newPassword(context, flags.passwordStdin)
  await withAdminApi(context, host, (api) =>
    api.ask('POST', 'accounts', {
      name,
      password,
      is_admin: flags.admin,
      may_create: flags.createNamespaces,
      ...(flags.description === undefined ? {} : { description: flags.description }),
    }),
  )
  context.stdout.write(`${name}\n`)
}

interface SetFlags {
  readonly admin: string | undefined
  readonly createNamespaces: string | undefined
  readonly disabled: string | undefined
  readonly description: string | undefined
}

/** `registry account set HOST NAME` */
export async function set(
  context: Context,
  flags: SetFlags,
  [host = '', name = '']: readonly string[],
): Promise<void> {
  const changes = {
    is_admin: readTruth('admin', flags.admin),
    may_create: readTruth('create-namespaces', flags.createNamespaces),
    is_disabled: readTruth('disabled', flags.disabled),
    description: flags.description,
  }
  await withAdminApi(context, host, (api) =>
    api.ask('PATCH', `accounts/${encodeURIComponent(name)}`, changes),
  )
  context.stdout.write(`${name}\n`)
}

/** `registry account rm HOST NAME...` */
export async function remove(
  context: Context,
  _flags: object,
  [host = '', ...names]: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, (api) => removeEach(context, { api, path: 'accounts', names }))
}

/** `registry account password HOST [NAME]` */
export async function password(
  context: Context,
  { passwordStdin }: { readonly passwordStdin: boolean },
  [host = '', given]: readonly string[],
): Promise<void> {
  await withAdminApi(context, host, async (api) => {
    const self = await api.ask('GET', 'whoami')
    const name = given ?? cell(self['name'])
    const isOwn = name === self['name'] && self['has_password'] === true
    const { current, wanted } = passwordStdin
      ? splitPasswords(await readStdin(standardInput(context)), isOwn)
      : {
          current: isOwn ? await ask(context, 'Current password: ') : undefined,
          wanted: await newPassword(context, false),
        }
    await api.ask('PUT', `accounts/${encodeURIComponent(name)}/password`, {
      password: wanted,
      ...(current === undefined ? {} : { current }),
    })
    context.stdout.write(`Password of ${name} changed\n`)
  })
}

/** Of one's own account the password of now stands on the line before. */
function splitPasswords(
  text: string,
  isOwn: boolean,
): { readonly current: string | undefined; readonly wanted: string } {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  const [current = '', wanted] = lines
  if (!isOwn) return { current: undefined, wanted: lines.join('\n') }
  if (wanted === undefined || lines.length > 2) {
    throw new CommandFailure(
      'to change your own password write two lines: the password of now, then the new one',
    )
  }
  return { current, wanted }
}

async function newPassword(context: Context, isStdin: boolean): Promise<string> {
  if (isStdin) return (await readStdin(standardInput(context))).replace(/\r?\n$/, '')
  const first = await ask(context, 'New password: ')
  if (first !== (await ask(context, 'Again: '))) {
    throw new CommandFailure('the two passwords differ')
  }
  return first
}

function ask({ stdin, stdout, signal }: Context, question: string): Promise<string> {
  if (!stdin.isTTY) {
    throw new CommandFailure('no terminal to ask for a password: use --password-stdin')
  }
  return readHidden(stdin, stdout, question, signal)
}
