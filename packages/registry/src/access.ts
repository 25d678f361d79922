import type { RegistryRequest, RegistryResponse } from './http.ts'
import { isRepositoryName, type Route } from './route.ts'

export type Action = 'pull' | 'push' | 'delete' | 'admin'

/** Decides what a user may do; `user` is undefined for anybody who gave no credentials. */
export type Policy = (user: string | undefined, repository: string, action: Action) => boolean

/** One thing a request needs to be allowed to do. */
export type Need =
  | {
      readonly repository: string
      readonly actions: readonly Action[]
      /** The repository to mount from, which is mounted only for somebody who may pull there. */
      readonly from?: string
    }
  | 'catalog'
  | 'search'
  | 'login'
  /** To administer one namespace: its members, its robots, its rules. */
  | { readonly namespace: string }
  /** To administer the whole registry. */
  | 'system'

/** Who asks, and what they may do with what they showed. */
export interface Visitor {
  /** The name of the account; undefined for anybody who showed none. */
  readonly account?: string | undefined
  may(need: Need): boolean
  /** Whether the catalog and the search may show them this repository. */
  maySee(repository: string): boolean
  /** False for who must not widen what others may do: a robot, or a token that was cut down. Default true. */
  readonly mayGrant?: boolean
  /** Lets them in once more, by the rights of now, or throws the refusal. A gate whose rules never change has none. */
  admitAgain?(): Promise<void>
}

/** Lets requests in, or throws the refusal that tells the client what to show. */
export interface Gate {
  admit(request: RegistryRequest, need: Need): Visitor | Promise<Visitor>
  /** Answers requests that are not of the distribution API: the token endpoint. */
  handle?(request: RegistryRequest): Promise<RegistryResponse | undefined>
}

/** Lets everybody do everything. */
export const openGate: Gate = {
  admit: () => ({ may: () => true, maySee: () => true }),
}

/** The default: users everything, others nothing. */
export const usersOnly: Policy = (user) => user !== undefined

/** Whether a policy lets a user do what a request needs; lists are for users, administration for administrators. */
export function isNeedOfUser(
  need: Need,
  user: string | undefined,
  {
    policy,
    administrators,
  }: { readonly policy: Policy; readonly administrators: readonly string[] },
): boolean {
  if (need === 'system' || (typeof need === 'object' && 'namespace' in need)) {
    return user !== undefined && administrators.includes(user)
  }
  if (typeof need === 'string') return user !== undefined
  return need.actions.every((action) => policy(user, need.repository, action))
}

export function needOf(route: Route, method: string, query?: URLSearchParams): Need {
  if (route.kind === 'base') return 'login'
  if (route.kind === 'catalog' || route.kind === 'search') return route.kind
  const { repository } = route
  if (method === 'GET' || method === 'HEAD') {
    // The state of an upload is for those who upload.
    const isUpload = route.kind === 'upload'
    return { repository, actions: isUpload ? ['pull', 'push'] : ['pull'] }
  }
  const from = route.kind === 'uploads' && query?.has('mount') ? query.get('from') : null
  if (from !== null && isRepositoryName(from))
    return { repository, actions: ['pull', 'push'], from }
  const isDelete = method === 'DELETE' && route.kind !== 'upload'
  return { repository, actions: isDelete ? ['delete'] : ['pull', 'push'] }
}
