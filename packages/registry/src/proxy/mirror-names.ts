import type { RegistryRequest } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { fullName, type Upstream } from './upstream.ts'

/**
 * The request under the name that the repository has here: a client that takes us for a mirror says in `ns=` (containerd)
 * or in `OCI-Namespace` which registry it means, and Docker Hub's official images have a short name. Everything after,
 * the check of rights first of all, sees only that name. Throws a `Refusal` for a registry that is not cached here.
 */
export function underOwnName(
  upstreams: readonly Upstream[],
  request: RegistryRequest,
): RegistryRequest {
  const found = repositoryIn(request.path)
  if (found === undefined) return request
  const namespace = request.query.get('ns') ?? request.header('oci-namespace')
  const own =
    namespace === undefined || namespace === request.header('host')
      ? officialName(upstreams, found.repository)
      : nameOfMirrored(upstreams, namespace, found.repository)
  if (own === undefined || own === found.repository) return request
  return {
    ...request,
    header: (name) => request.header(name),
    path: `/v2/${own}/${found.rest}`,
  }
}

function nameOfMirrored(
  upstreams: readonly Upstream[],
  namespace: string,
  repository: string,
): string | undefined {
  const upstream = upstreams.find(({ registry }) => registry === namespace)
  if (upstream === undefined) {
    // Ours of this name is not theirs, whatever it is.
    throw new Refusal(404, 'NAME_UNKNOWN', 'this registry is no mirror of that one', {
      detail: { ns: namespace.slice(0, 300) },
    })
  }
  const name = fullName(upstream.registry, repository)
  return upstream.prefix === '' ? name : `${upstream.prefix}/${name}`
}

/** `hub/alpine` is `hub/library/alpine`. A mirror without a prefix may have repositories of its own with such names. */
function officialName(upstreams: readonly Upstream[], repository: string): string | undefined {
  for (const { prefix, registry } of upstreams) {
    if (prefix === '' || !repository.startsWith(`${prefix}/`)) continue
    const rest = repository.slice(prefix.length + 1)
    if (!rest.includes('/')) return `${prefix}/${fullName(registry, rest)}`
  }
  return undefined
}

const kinds = new Set(['manifests', 'blobs', 'tags', 'referrers'])

function repositoryIn(
  path: string,
): { readonly repository: string; readonly rest: string } | undefined {
  if (!path.startsWith('/v2/') || path.length > 1024) return undefined
  const parts = path.slice('/v2/'.length).split('/')
  const [kind = ''] = parts.slice(-2)
  if (!kinds.has(kind) || parts.length < 3) return undefined
  return { repository: parts.slice(0, -2).join('/'), rest: parts.slice(-2).join('/') }
}
