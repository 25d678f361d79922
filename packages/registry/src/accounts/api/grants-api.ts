import { json } from '../../http.ts'
import { isRepositoryName } from '../../route.ts'
import { findAccount } from '../account-store.ts'
import {
  deleteGrant,
  findGrant,
  type Grant,
  listGrants,
  makePrivate,
  setGrant,
  type Subject,
} from '../grant-store.ts'
import type { Identity } from '../identity.ts'
import { covers, inLibrary, namespaceOfPattern } from '../pattern.ts'
import { isPublic } from '../rights.ts'
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
  timeText,
} from './call.ts'
import { newGrant, visibility } from './schemas.ts'

const batch = 500

/** `GET /api/v1/grants`: those one may give and take; all for an administrator. */
export const listOwnGrants: Handler = async (call) => {
  const paging = readPaging(call)
  const found: Grant[] = []
  let last = /^\d{1,15}$/.test(paging.last) ? Number(paging.last) : 0
  while (found.length < paging.limit) {
    const rows = await listGrants(call.database, { last, limit: batch })
    for (const grant of rows) {
      if (found.length < paging.limit && mayGrant(call.identity, grant.pattern)) found.push(grant)
    }
    if (rows.length < batch) break
    last = rows.at(-1)?.id ?? last
  }
  return json(
    200,
    { grants: found.map(showGrant) },
    nextPage(call, paging, found, found.at(-1)?.id ?? 0),
  )
}

/** `POST /api/v1/grants` */
export const addGrant: Handler = async (call) => {
  const { subject: given, repository: pattern, actions } = await readBody(call, newGrant)
  if (!mayGrant(call.identity, pattern)) throw denied()
  if (given === 'anonymous' && actions.some((action) => action !== 'pull')) {
    throw invalid('actions: who does not sign in may only pull')
  }
  const name = typeof given === 'string' ? given : given.account
  const entry = { action: 'grant.set', target: pattern, detail: `${name} ${actions.join(',')}` }
  const id = await change(call, entry, async (transaction) => {
    let subject: Subject
    if (typeof given === 'string') {
      subject = { kind: given }
    } else {
      const account = await findAccount(transaction, given.account)
      if (account === undefined) throw notFound('such account')
      subject = { kind: 'account', id: account.id }
    }
    return setGrant(
      transaction,
      { subject, pattern, actions, createdBy: call.account.name },
      call.now,
    )
  })
  const grant = await findGrant(call.database, id)
  return json(201, grant === undefined ? {} : showGrant(grant))
}

/** `DELETE /api/v1/grants/ID` */
export const removeGrant: Handler = async (call) => {
  const [id = ''] = call.names
  const grant = /^\d{1,15}$/.test(id) ? await findGrant(call.database, Number(id)) : undefined
  // Grants of others are not there for who may not take them.
  if (grant === undefined || !mayGrant(call.identity, grant.pattern)) {
    throw call.identity.rights.isAdmin ? notFound('such grant') : denied()
  }
  const entry = {
    action: 'grant.delete',
    target: grant.pattern,
    detail: grant.account ?? grant.subject,
  }
  await change(call, entry, (tx) => deleteGrant(tx, grant.id))
  return { status: 204 }
}

/** `GET /api/v1/repositories/NAME/visibility` */
export const showVisibility: Handler = async (call) => {
  const name = ownRepository(call)
  const isOpen = isPublic(call.identity.rights.anonymous, name)
  return json(200, { repository: name, visibility: isOpen ? 'public' : 'private' })
}

/** `PUT /api/v1/repositories/NAME/visibility`: public is a right to pull for everybody. */
export const putVisibility: Handler = async (call) => {
  const name = ownRepository(call)
  const { visibility: wanted } = await readBody(call, visibility)
  const pattern = inLibrary(name)
  const entry = { action: 'repository.visibility', target: name, detail: wanted }
  await change(call, entry, async (transaction) => {
    if (wanted === 'private') {
      await makePrivate(transaction, name)
      return
    }
    const right = { subject: { kind: 'anonymous' }, pattern, actions: ['pull'] } as const
    await setGrant(transaction, { ...right, createdBy: call.account.name }, call.now)
  })
  return json(200, { repository: name, visibility: wanted })
}

/** Administrators of the registry, owners of the namespace, and who administers all that the pattern is for. */
function mayGrant({ account, rights, scopes, access }: Identity, pattern: string): boolean {
  // A robot or a token that was cut down must not widen what it may do.
  if (account?.kind !== 'person' || scopes !== undefined || access !== undefined) return false
  if (rights.isAdmin) return true
  const namespace = namespaceOfPattern(pattern)
  if (namespace !== undefined && rights.roles.get(namespace) === 'owner') return true
  return rights.grants.all.some(
    (grant) => grant.actions.includes('admin') && covers(grant.pattern, pattern),
  )
}

function ownRepository(call: Call): string {
  const [name = ''] = call.names
  if (!isRepositoryName(name)) throw invalid('no repository name')
  if (!mayGrant(call.identity, name)) throw denied()
  return name
}

function showGrant(grant: Grant): object {
  return {
    id: grant.id,
    subject: grant.account === undefined ? grant.subject : { account: grant.account },
    repository: grant.pattern,
    actions: grant.actions,
    created_at: timeText(grant.createdAt),
    created_by: grant.createdBy ?? null,
  }
}
