import { json } from '../../http.ts'
import { Refusal } from '../../refusal.ts'
import { type Account, findAccount } from '../account-store.ts'
import { mayOwnByName } from '../names.ts'
import {
  createNamespace,
  deleteMember,
  deleteNamespace,
  findNamespace,
  listMembers,
  listNamespaces,
  requireFewOwned,
  setMember,
} from '../namespace-store.ts'
import {
  type Call,
  change,
  denied,
  type Handler,
  nextPage,
  notFound,
  readBody,
  readPaging,
  requireOwner,
  timeText,
} from './call.ts'
import { memberRole, newNamespace } from './schemas.ts'

/** `GET /api/v1/namespaces`: one's own; all for an administrator. */
export const listOwnNamespaces: Handler = async (call) => {
  const { database, identity, account } = call
  const paging = readPaging(call)
  const accountID = identity.rights.isAdmin ? undefined : account.id
  const found = await listNamespaces(database, { ...paging, accountID })
  const namespaces = found.map(({ name, createdAt, createdBy }) => ({
    name,
    role: identity.rights.roles.get(name) ?? null,
    created_at: timeText(createdAt),
    created_by: createdBy ?? null,
  }))
  return json(200, { namespaces }, nextPage(call, paging, found, found.at(-1)?.name ?? ''))
}

/** `POST /api/v1/namespaces`: for oneself, with the right to; for anybody as administrator. */
export const addNamespace: Handler = async (call) => {
  const { name, owner = call.account.name } = await readBody(call, newNamespace)
  const { isAdmin, mayCreate } = call.identity.rights
  const isForSelf = owner === call.account.name && call.account.kind === 'person'
  if (!isAdmin && !(mayCreate && isForSelf && mayOwnByName(name))) throw denied()
  const entry = { action: 'namespace.create', target: name, detail: owner }
  await change(call, entry, async (transaction) => {
    const account = await findAccount(transaction, owner)
    if (account?.kind !== 'person') throw notFound('such account')
    if (!isAdmin) await requireFewOwned(transaction, account.id)
    const namespace = { name, createdBy: call.account.name }
    const known = await findNamespace(transaction, name)
    if (known !== undefined || !(await createNamespace(transaction, namespace, call.now))) {
      throw new Refusal(409, 'CONFLICT', `there is a namespace ${name} already`)
    }
    await setMember(transaction, name, { accountID: account.id, role: 'owner' })
  })
  return json(201, { name, owner })
}

/** `DELETE /api/v1/namespaces/NAME`: an empty one, with its robots. */
export const removeNamespace: Handler = async (call) => {
  const name = await ownNamespace(call)
  await change(call, { action: 'namespace.delete', target: name }, (tx) =>
    deleteNamespace(tx, name),
  )
  return { status: 204 }
}

/** `GET /api/v1/namespaces/NAME/members`: for members. */
export const listNamespaceMembers: Handler = async (call) => {
  const [name = ''] = call.names
  const { roles, isAdmin } = call.identity.rights
  if (!isAdmin && !roles.has(name)) throw denied()
  if ((await findNamespace(call.database, name)) === undefined) throw notFound('such namespace')
  return json(200, { members: await listMembers(call.database, name) })
}

/** `PUT /api/v1/namespaces/NAME/members/ACCOUNT` */
export const putMember: Handler = async (call) => {
  const name = await ownNamespace(call)
  const { role } = await readBody(call, memberRole)
  const account = await findMember(call)
  const entry = { action: 'member.set', target: name, detail: `${account.name} ${role}` }
  await change(call, entry, (tx) => setMember(tx, name, { accountID: account.id, role }))
  return json(200, { account: account.name, role })
}

/** `DELETE /api/v1/namespaces/NAME/members/ACCOUNT` */
export const removeMember: Handler = async (call) => {
  const name = await ownNamespace(call)
  const account = await findMember(call)
  const entry = { action: 'member.delete', target: name, detail: account.name }
  await change(call, entry, async (transaction) => {
    if (!(await deleteMember(transaction, name, account.id))) throw notFound('such member')
  })
  return { status: 204 }
}

async function ownNamespace(call: Call): Promise<string> {
  const [name = ''] = call.names
  requireOwner(call, name)
  if ((await findNamespace(call.database, name)) === undefined) throw notFound('such namespace')
  return name
}

/** Robots are no members: they have what was granted to them and nothing else. */
async function findMember({ database, names: [, name = ''] }: Call): Promise<Account> {
  const account = await findAccount(database, name)
  if (account?.kind === 'person') return account
  throw notFound('such account')
}
