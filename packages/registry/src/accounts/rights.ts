import type { Action } from '../access.ts'
import { namespaceOf } from './names.ts'
import { inLibrary, matches, type Pattern } from './pattern.ts'
import type { PatternIndex } from './pattern-index.ts'

export const actions: readonly Action[] = ['pull', 'push', 'delete', 'admin']

/** What is allowed where. */
export interface Scope {
  readonly pattern: Pattern
  readonly actions: readonly Action[]
}

/** Harbor's roles: guests pull, developers push too, maintainers delete too, owners administer. */
export type Role = 'owner' | 'maintainer' | 'developer' | 'guest'

const roleActions: Readonly<Record<Role, readonly Action[]>> = {
  owner: actions,
  maintainer: ['pull', 'push', 'delete'],
  developer: ['pull', 'push'],
  guest: ['pull'],
}

/** What the tables say about one account, or about nobody. */
export interface Rights {
  readonly isAdmin: boolean
  /** Whether the account may open namespaces that nobody has. */
  readonly mayCreate: boolean
  readonly roles: ReadonlyMap<string, Role>
  readonly grants: PatternIndex<Scope>
  /** What everybody may do, shown credentials or not. */
  readonly anonymous: PublicRights
}

export interface PublicRights {
  /** Repositories that are public by their own whole name. */
  readonly names: ReadonlySet<string>
  readonly patterns: PatternIndex<{ readonly pattern: Pattern }>
}

/** Whether the rights, cut down to the scopes of the token that was shown, allow an action on a repository. */
export function isAllowed(
  rights: Rights,
  scopes: readonly Scope[] | undefined,
  repository: string,
  action: Action,
): boolean {
  if (action === 'pull' && isPublic(rights.anonymous, repository)) return true
  return isInScopes(scopes, repository, action) && hasRight(rights, repository, action)
}

export function isPublic({ names, patterns }: PublicRights, repository: string): boolean {
  return (
    names.has(inLibrary(repository)) ||
    patterns.some(repository, ({ pattern }) => matches(pattern, repository))
  )
}

export function isInScopes(
  scopes: readonly Scope[] | undefined,
  repository: string,
  action: Action,
): boolean {
  return scopes === undefined || hasScope(scopes, repository, action)
}

function hasRight(rights: Rights, repository: string, action: Action): boolean {
  if (rights.isAdmin) return true
  const role = rights.roles.get(namespaceOf(repository))
  if (role !== undefined && roleActions[role].includes(action)) return true
  return rights.grants.some(repository, (grant) => allows(grant, repository, action))
}

function hasScope(scopes: readonly Scope[], repository: string, action: Action): boolean {
  return scopes.some((scope) => allows(scope, repository, action))
}

function allows({ pattern, actions: allowed }: Scope, repository: string, action: Action): boolean {
  return allowed.includes(action) && matches(pattern, repository)
}

/** The actions that come with those given: who pushes or deletes must be able to look. In one order, each once. */
export function completeActions(given: readonly Action[]): readonly Action[] {
  if (given.includes('admin')) return actions
  return actions.filter((action) => (action === 'pull' ? given.length > 0 : given.includes(action)))
}
