import type { Queries } from '../database/database.ts'

export interface FoundRepository {
  readonly id: number
  /** As clients of the distribution API call it. */
  readonly name: string
}

const official = 'library'

/**
 * The repository that Docker Hub's API calls `NAMESPACE/NAME`: that of this name, or for `library/NAME` the one called only `NAME`.
 */
export async function findRepository(
  queries: Queries,
  name: string,
): Promise<FoundRepository | undefined> {
  return (
    (await queries.get<FoundRepository>(byName, [name])) ??
    (name.startsWith(`${official}/`)
      ? queries.get<FoundRepository>(byName, [name.slice(official.length + 1)])
      : undefined)
  )
}

/** `nginx` is `library/nginx` here. */
export function splitName(name: string): { readonly namespace: string; readonly name: string } {
  const at = name.indexOf('/')
  return at === -1
    ? { namespace: official, name }
    : { namespace: name.slice(0, at), name: name.slice(at + 1) }
}

export function isOfficial(namespace: string): boolean {
  return namespace === official
}

const byName = 'SELECT id, name FROM repositories WHERE name = ?'
