import type { Database } from '../../database/database.ts'
import type { RegistryRequest, RegistryResponse } from '../../http.ts'
import { Refusal } from '../../refusal.ts'
import { writeAudit } from '../audit-log.ts'
import type { FailedLogins } from '../failed-logins.ts'
import type { Identity } from '../identity.ts'
import type { PasswordHasher } from '../password-hash.ts'
import {
  addPerson,
  changePerson,
  listPeople,
  putPassword,
  removePerson,
  showPerson,
  showSelf,
} from './accounts-api.ts'
import { listAudit, removeAudit } from './audit-api.ts'
import { type Call, denied, type Handler, invalid } from './call.ts'
import {
  addGrant,
  listOwnGrants,
  putVisibility,
  removeGrant,
  showVisibility,
} from './grants-api.ts'
import {
  addNamespace,
  listNamespaceMembers,
  listOwnNamespaces,
  putMember,
  removeMember,
  removeNamespace,
} from './namespaces-api.ts'
import { addRobot, changeRobot, listRobots, removeRobot } from './robots-api.ts'
import { addToken, listOwnTokens, removeToken } from './tokens-api.ts'

/** The parts of a path after `/api/v1`; `:` is one open part, `**` a repository. */
const routes: readonly (readonly [string, Readonly<Record<string, Handler>>])[] = [
  ['whoami', { GET: showSelf }],
  ['accounts', { GET: listPeople, POST: addPerson }],
  ['accounts/:', { GET: showPerson, PATCH: changePerson, DELETE: removePerson }],
  ['accounts/:/password', { PUT: putPassword }],
  ['accounts/:/tokens', { GET: listOwnTokens, POST: addToken }],
  ['accounts/:/tokens/:', { DELETE: removeToken }],
  ['robots', { GET: listRobots, POST: addRobot }],
  ['robots/:', { PATCH: changeRobot, DELETE: removeRobot }],
  ['namespaces', { GET: listOwnNamespaces, POST: addNamespace }],
  ['namespaces/:', { DELETE: removeNamespace }],
  ['namespaces/:/members', { GET: listNamespaceMembers }],
  ['namespaces/:/members/:', { PUT: putMember, DELETE: removeMember }],
  ['grants', { GET: listOwnGrants, POST: addGrant }],
  ['grants/:', { DELETE: removeGrant }],
  ['repositories/**/visibility', { GET: showVisibility, PUT: putVisibility }],
  ['audit', { GET: listAudit, DELETE: removeAudit }],
]

export interface AnswerOptions {
  readonly database: Database
  readonly hasher: PasswordHasher
  /** Wrong passwords of now, by account. */
  readonly failed: FailedLogins
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Answers a request of the administration API; undefined when it has no such path. */
export async function answerApi(
  request: RegistryRequest,
  identify: () => Promise<Identity>,
  options: AnswerOptions,
): Promise<RegistryResponse | undefined> {
  const found = findRoute(request.path)
  if (found === undefined) return undefined
  const handler = Object.hasOwn(found.handlers, request.method)
    ? found.handlers[request.method]
    : undefined
  if (handler === undefined) {
    throw new Refusal(405, 'UNSUPPORTED', 'the operation is unsupported', {
      headers: { allow: Object.keys(found.handlers).join(', ') },
    })
  }
  // A browser that remembers a password would send it along for a page of another site.
  if (request.header('sec-fetch-site') === 'cross-site') throw denied()
  const identity = await identify()
  const { account } = identity
  if (account === undefined) throw denied()
  const call: Call = { request, identity, account, names: found.names, ...options }
  try {
    const isWhole = identity.scopes === undefined && identity.access === undefined
    if (!isWhole && handler !== showSelf) throw denied()
    return await handler(call)
  } catch (error) {
    const isRefused = error instanceof Refusal && error.status === 403 && request.method !== 'GET'
    if (isRefused) {
      await writeAudit(options.database, {
        at: options.now,
        actor: account.name,
        client: request.client,
        action: `api.${request.method.toLowerCase()}`,
        target: request.path,
        result: 'refused',
      })
    }
    throw error
  }
}

function findRoute(
  path: string,
):
  | { readonly handlers: Readonly<Record<string, Handler>>; readonly names: readonly string[] }
  | undefined {
  const parts = path.slice('/api/v1/'.length).split('/').map(decode)
  for (const [route, handlers] of routes) {
    const names = matchRoute(route.split('/'), parts)
    if (names !== undefined) return { handlers, names }
  }
  return undefined
}

function matchRoute(
  wanted: readonly string[],
  parts: readonly string[],
): readonly string[] | undefined {
  const deep = wanted.indexOf('**')
  if (deep !== -1) {
    const after = wanted.length - deep - 1
    const fits =
      parts.length >= wanted.length &&
      wanted.slice(0, deep).every((text, index) => parts[index] === text) &&
      parts.at(-1) === wanted.at(-1)
    return fits ? [parts.slice(deep, parts.length - after).join('/')] : undefined
  }
  if (parts.length !== wanted.length) return undefined
  const names: string[] = []
  for (const [index, text] of wanted.entries()) {
    const part = parts[index] ?? ''
    if (text === ':') names.push(part)
    else if (text !== part) return undefined
  }
  return names
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('the path is not encoded as URLs are')
  }
}
