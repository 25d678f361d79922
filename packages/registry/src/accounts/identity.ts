import type { Action, Need } from '../access.ts'
import type { Grant } from '../access-token.ts'
import type { Account } from './account-store.ts'
import { isAllowed, type Rights, type Scope } from './rights.ts'

/** Who asks, with what, and what that may do now. */
export interface Identity {
  /** Undefined for anybody who showed nothing, or an anonymous token. */
  readonly account: Account | undefined
  readonly rights: Rights
  /** What the token that was shown is cut down to; undefined: everything the account may do. */
  readonly scopes: readonly Scope[] | undefined
  /** The access token behind it. */
  readonly tokenID?: string | undefined
  /** When what was shown ends by itself. Undefined: a password, or a token that does not. */
  readonly expiresAt?: number | undefined
  /** What a signed token was given for. It is good for that only, and for nothing beside the distribution API. */
  readonly access?: readonly Grant[] | undefined
}

/** Whether the identity may do what a request needs. Does not know of namespaces that nobody has. */
export function mayDo(identity: Identity, need: Need): boolean {
  const { account, rights, scopes, access } = identity
  if (need === 'login') return account !== undefined || access !== undefined
  if (need === 'catalog' || need === 'search') {
    return access === undefined ? mayList(identity) : hasCatalog(access) && mayList(identity)
  }
  // A token cut down, or for a registry client, administers nothing.
  const isWhole = account !== undefined && scopes === undefined && access === undefined
  if (need === 'system') return isWhole && rights.isAdmin
  if ('namespace' in need) {
    return isWhole && (rights.isAdmin || rights.roles.get(need.namespace) === 'owner')
  }
  return need.actions.every(
    (action) =>
      isGiven(access, need.repository, action) &&
      isAllowed(rights, scopes, need.repository, action),
  )
}

/** Lists are for those who signed in, and for everybody where there is something public. */
export function mayList({ account, rights }: Identity): boolean {
  const { names, patterns } = rights.anonymous
  return account !== undefined || names.size > 0 || patterns.all.length > 0
}

export function isGiven(
  access: readonly Grant[] | undefined,
  repository: string,
  action: Action,
): boolean {
  return (
    access === undefined ||
    access.some(
      ({ type, name, actions }) =>
        type === 'repository' && name === repository && actions.includes(action),
    )
  )
}

function hasCatalog(access: readonly Grant[]): boolean {
  return access.some(({ type, name }) => type === 'registry' && name === 'catalog')
}
