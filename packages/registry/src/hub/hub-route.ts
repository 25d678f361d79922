/** What a path of Docker Hub's API means. Names are as they were asked for: not checked, not known to exist. */
export type HubRoute =
  | { readonly kind: 'repositories'; readonly namespace: string }
  | { readonly kind: 'repository'; readonly name: string }
  | { readonly kind: 'tags'; readonly name: string }
  | { readonly kind: 'tag'; readonly name: string; readonly tag: string }
  | { readonly kind: 'stars'; readonly name: string }
  | { readonly kind: 'search' }

const maxPath = 600

/**
 * Reads a path, with or without a slash at its end. A repository may have more than two parts here, so the path is read from the
 * right: after at least two parts of a name, `tags` means tags. Undefined when it is no path of the API.
 */
export function parseHubRoute(path: string): HubRoute | undefined {
  if (path.length > maxPath) return undefined
  const parts = path.split('/').slice(1)
  if (parts.at(-1) === '') parts.pop()
  const [version, kind, ...rest] = parts
  if (version !== 'v2' || rest.includes('')) return undefined
  if (kind === 'search') {
    return rest.length === 1 && rest[0] === 'repositories' ? { kind: 'search' } : undefined
  }
  if (kind === 'repositories') return readRepository(rest)
  if (kind !== 'namespaces') return undefined
  const [namespace, word, ...names] = rest
  if (namespace === undefined || word !== 'repositories') return undefined
  return readRepository([namespace, ...names])
}

function readRepository(parts: readonly string[]): HubRoute | undefined {
  const [namespace] = parts
  if (namespace === undefined) return undefined
  if (parts.length === 1) return { kind: 'repositories', namespace }
  const last = parts.at(-1) ?? ''
  const name = (count: number): string => parts.slice(0, -count).join('/')
  if (parts.length >= 4 && parts.at(-2) === 'tags') return { kind: 'tag', name: name(2), tag: last }
  if (parts.length >= 3 && last === 'tags') return { kind: 'tags', name: name(1) }
  if (parts.length >= 3 && last === 'stars') return { kind: 'stars', name: name(1) }
  return { kind: 'repository', name: parts.join('/') }
}
