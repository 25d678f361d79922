import type { Action } from '../access.ts'
import type { Grant } from '../access-token.ts'
import { isRepositoryName } from '../route.ts'
import { actions } from './rights.ts'

const maxScopes = 100
const clientActions: readonly Action[] = actions.filter((action) => action !== 'admin')

/** What a client asks a token for. */
export type AskedScope =
  | { readonly kind: 'repository'; readonly name: string; readonly actions: readonly Action[] }
  | { readonly kind: 'catalog' }

/**
 * Reads scopes of the token protocol: `repository:NAME:ACTION,...` and `registry:catalog:*`, several in one text. What is neither is
 * left out: the protocol gives less, never an error. The same repository asked for twice is one.
 */
export function readScopes(texts: readonly string[]): readonly AskedScope[] {
  const repositories = new Map<string, Set<Action>>()
  let hasCatalog = false
  for (const scope of texts.flatMap((text) => text.split(' ')).slice(0, maxScopes)) {
    const [first, last] = [scope.indexOf(':'), scope.lastIndexOf(':')]
    const kind = scope.slice(0, Math.max(0, first))
    const name = scope.slice(first + 1, Math.max(first + 1, last))
    if (kind === 'registry' && name === 'catalog') hasCatalog = true
    if (kind !== 'repository' || !isRepositoryName(name)) continue
    const asked = new Set(scope.slice(last + 1).split(','))
    const found = repositories.get(name) ?? new Set()
    for (const action of clientActions) if (asked.has(action) || asked.has('*')) found.add(action)
    repositories.set(name, found)
  }
  return [
    ...[...repositories].map(([name, wanted]): AskedScope => {
      return { kind: 'repository', name, actions: clientActions.filter((one) => wanted.has(one)) }
    }),
    ...(hasCatalog ? [{ kind: 'catalog' } as const] : []),
  ]
}

/** What is given for the catalog and the search. */
export function catalogGrant(): Grant {
  return { type: 'registry', name: 'catalog', actions: ['*'] }
}
