import { json } from '../../http.ts'
import { Refusal } from '../../refusal.ts'
import {
  type Account,
  changeAccount,
  countRobots,
  createAccount,
  deleteAccount,
  findAccount,
  listAccounts,
} from '../account-store.ts'
import { setGrant } from '../grant-store.ts'
import { findNamespace } from '../namespace-store.ts'
import { namespaceOfPattern } from '../pattern.ts'
import { createToken } from '../token-store.ts'
import { showAccount } from './accounts-api.ts'
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
  requireSystem,
  timeText,
} from './call.ts'
import { newRobot, robotChanges } from './schemas.ts'

const maxRobots = 1000

/** `GET /api/v1/robots?namespace=NAME`: of one namespace; of all for an administrator. */
export const listRobots: Handler = async (call) => {
  const namespace = call.request.query.get('namespace')
  if (namespace === null) requireSystem(call)
  else requireOwner(call, namespace)
  const paging = readPaging(call)
  const found = await listAccounts(call.database, 'robot', {
    ...paging,
    ...(namespace === null ? {} : { namespace }),
  })
  return json(
    200,
    { robots: found.map(showAccount) },
    nextPage(call, paging, found, found.at(-1)?.name ?? ''),
  )
}

/** `POST /api/v1/robots`: a robot with its rights and its first token, which the answer shows for the only time. */
export const addRobot: Handler = async (call) => {
  const { name, description, grants = [], expires_in } = await readBody(call, newRobot)
  const [namespace = ''] = name.split('+')
  requireOwner(call, namespace)
  // Rights elsewhere are for those to give who have them to give there.
  const isInside = grants.every(({ repository }) => namespaceOfPattern(repository) === namespace)
  if (!isInside && !call.identity.rights.isAdmin) throw denied()
  const expiresAt = expires_in === undefined ? undefined : call.now + expires_in * 1000
  const entry = { action: 'robot.create', target: name, detail: textOf(grants) }
  const { secret } = await change(call, entry, async (transaction) => {
    if ((await findNamespace(transaction, namespace)) === undefined) {
      throw notFound('such namespace')
    }
    if ((await countRobots(transaction, namespace)) >= maxRobots) {
      throw new Refusal(409, 'CONFLICT', `the namespace has ${maxRobots} robots`)
    }
    const robot = await createAccount(
      transaction,
      { name, kind: 'robot', namespace, description: description ?? '' },
      call.now,
    )
    for (const { repository, actions } of grants) {
      const subject = { kind: 'account', id: robot.id } as const
      const right = { subject, pattern: repository, actions, createdBy: call.account.name }
      await setGrant(transaction, right, call.now)
    }
    return createToken(
      transaction,
      { accountID: robot.id, kind: 'personal', name: 'first', expiresAt },
      call.now,
    )
  })
  return json(
    201,
    { name, token: secret, expires_at: timeText(expiresAt) },
    { 'cache-control': 'no-store' },
  )
}

/** `PATCH /api/v1/robots/NAME` */
export const changeRobot: Handler = async (call) => {
  const robot = await findRobot(call)
  const { description, is_disabled } = await readBody(call, robotChanges)
  const entry = {
    action: 'robot.change',
    target: robot.name,
    detail: JSON.stringify({ is_disabled }),
  }
  await change(call, entry, (tx) =>
    changeAccount(tx, robot.id, { description, isDisabled: is_disabled }, call.now),
  )
  return json(200, showAccount(await findRobot(call)))
}

/** `DELETE /api/v1/robots/NAME` */
export const removeRobot: Handler = async (call) => {
  const robot = await findRobot(call)
  const entry = { action: 'robot.delete', target: robot.name }
  await change(call, entry, (tx) => deleteAccount(tx, robot.id))
  return { status: 204 }
}

/** `team/*:pull,push team/docs:pull` */
function textOf(
  grants: readonly { readonly repository: string; readonly actions: readonly string[] }[],
): string {
  return grants.map(({ repository, actions }) => `${repository}:${actions.join(',')}`).join(' ')
}

async function findRobot(call: Call): Promise<Account> {
  const [name = ''] = call.names
  requireOwner(call, name.split('+')[0] ?? '')
  const account = await findAccount(call.database, name)
  if (account?.kind === 'robot') return account
  throw notFound('such robot')
}
