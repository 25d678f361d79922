import { json } from '../../http.ts'
import {
  type Account,
  changeAccount,
  deleteAccount,
  findAccount,
  listAccounts,
  readPassword,
  setPassword,
} from '../account-store.ts'
import { createPerson } from '../create-person.ts'
import { tooMany } from '../too-many.ts'
import {
  type Call,
  change,
  denied,
  type Handler,
  invalid,
  nextPage,
  notFound,
  readBody,
  readPaging,
  requireSystem,
  timeText,
} from './call.ts'
import { accountChanges, newAccount, newPassword } from './schemas.ts'

/** `GET /api/v1/whoami` */
export const showSelf: Handler = async ({ account, identity }) =>
  json(200, { ...showAccount(account), scopes: identity.scopes ?? null })

/** `GET /api/v1/accounts` */
export const listPeople: Handler = async (call) => {
  requireSystem(call)
  const paging = readPaging(call)
  const found = await listAccounts(call.database, 'person', paging)
  return json(
    200,
    { accounts: found.map(showAccount) },
    nextPage(call, paging, found, found.at(-1)?.name ?? ''),
  )
}

/** `POST /api/v1/accounts`: the account, and the namespace of its name unless somebody has it. */
export const addPerson: Handler = async (call) => {
  requireSystem(call)
  const given = await readBody(call, newAccount)
  const password =
    given.password === undefined ? {} : { password: await call.hasher.hash(given.password) }
  const entry = { action: 'account.create', target: given.name }
  const account = await change(call, entry, (transaction) =>
    createPerson(
      transaction,
      {
        name: given.name,
        description: given.description ?? '',
        isAdmin: given.is_admin ?? false,
        mayCreate: given.may_create ?? false,
        ...password,
      },
      call.now,
    ),
  )
  return json(201, showAccount(account))
}

/** `GET /api/v1/accounts/NAME` */
export const showPerson: Handler = async (call) => json(200, showAccount(await findOwn(call)))

/** `PATCH /api/v1/accounts/NAME` */
export const changePerson: Handler = async (call) => {
  requireSystem(call)
  const { is_admin, may_create, is_disabled, description } = await readBody(call, accountChanges)
  const account = await findPerson(call)
  const entry = {
    action: 'account.change',
    target: account.name,
    detail: JSON.stringify({ is_admin, may_create, is_disabled }),
  }
  const changes = { isAdmin: is_admin, mayCreate: may_create, isDisabled: is_disabled, description }
  await change(call, entry, (tx) => changeAccount(tx, account.id, changes, call.now))
  return json(200, showAccount(await findPerson(call)))
}

/** `DELETE /api/v1/accounts/NAME` */
export const removePerson: Handler = async (call) => {
  requireSystem(call)
  const account = await findPerson(call)
  const entry = { action: 'account.delete', target: account.name }
  await change(call, entry, (tx) => deleteAccount(tx, account.id))
  return { status: 204 }
}

/**
 * `PUT /api/v1/accounts/NAME/password`: one's own with the current one, or another's as administrator. A first one of one's own by a
 * token without an end only: a login of some hours must not become one for ever.
 */
export const putPassword: Handler = async (call) => {
  const account = await findOwn(call)
  const { password, current } = await readBody(call, newPassword)
  const isOwn = account.id === call.account.id
  if (isOwn && !account.hasPassword && call.identity.expiresAt !== undefined) throw denied()
  if (isOwn && account.hasPassword) {
    // Who has got hold of a token must not find out the password by it.
    const wait = call.failed.secondsToWait(account.name, call.now)
    if (wait !== undefined) throw tooMany(wait)
    const stored = await readPassword(call.database, account.id)
    if (!(await call.hasher.verify(current ?? '', stored))) {
      call.failed.add(account.name, call.now)
      throw invalid('current: expected the password of now')
    }
  }
  const hash = await call.hasher.hash(password)
  const entry = { action: 'account.password', target: account.name }
  await change(call, entry, (tx) => setPassword(tx, account.id, hash, call.now))
  return { status: 204 }
}

export function showAccount(account: Account): object {
  return {
    name: account.name,
    kind: account.kind,
    ...(account.namespace === undefined ? {} : { namespace: account.namespace }),
    description: account.description,
    is_admin: account.isAdmin,
    may_create: account.mayCreate,
    is_disabled: account.isDisabled,
    has_password: account.hasPassword,
    ...(account.issuer === undefined ? {} : { issuer: account.issuer }),
    created_at: timeText(account.createdAt),
  }
}

/** One's own account, or any as administrator. Others are told the same whether it exists or not. */
async function findOwn(call: Call): Promise<Account> {
  if (call.names[0] !== call.account.name) requireSystem(call)
  else if (call.account.kind === 'robot') throw denied()
  return findPerson(call)
}

async function findPerson({ database, names: [name = ''] }: Call): Promise<Account> {
  const account = await findAccount(database, name)
  if (account?.kind === 'person') return account
  throw notFound('such account')
}
