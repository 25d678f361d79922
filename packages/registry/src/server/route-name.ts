/** What metrics, logs and traces call a path: few names, however many repositories there are. */
export interface RouteName {
  readonly route: string
  readonly repository: string | undefined
}

const fixed: Readonly<Record<string, string>> = {
  '/v2': 'base',
  '/v2/': 'base',
  '/v2/_catalog': 'catalog',
  '/v1/search': 'search',
  '/token': 'token',
  '/healthz': 'health',
  '/readyz': 'ready',
  '/metrics': 'metrics',
}

/** Names a path from its right end, as it is routed; the names in it are not checked. */
export function nameRoute(path: string): RouteName {
  const known = Object.hasOwn(fixed, path) ? fixed[path] : undefined
  if (known !== undefined) return { route: known, repository: undefined }
  if (!path.startsWith('/v2/')) return { route: 'other', repository: undefined }
  const lastAt = path.lastIndexOf('/')
  const secondAt = path.lastIndexOf('/', lastAt - 1)
  const second = path.slice(secondAt + 1, lastAt)
  // `/v2/<name>/…` has a name between its second slash and this one.
  const named = (route: string, end: number): RouteName =>
    end > 4 ? { route, repository: path.slice(4, end) } : other
  switch (second) {
    case 'manifests':
      return named('manifest', secondAt)
    case 'blobs':
      return path.endsWith('/uploads') ? named('uploads', secondAt) : named('blob', secondAt)
    case 'uploads': {
      const thirdAt = path.lastIndexOf('/', secondAt - 1)
      if (path.slice(thirdAt + 1, secondAt) !== 'blobs') return other
      return named(lastAt === path.length - 1 ? 'uploads' : 'upload', thirdAt)
    }
    case 'tags':
      return path.endsWith('/list') ? named('tags', secondAt) : hubOr(path)
    case 'referrers':
      return named('referrers', secondAt)
    default:
      return hubOr(path)
  }
}

const other: RouteName = { route: 'other', repository: undefined }

function hubOr(path: string): RouteName {
  const isHub = path.startsWith('/v2/repositories/') || path.startsWith('/v2/namespaces/')
  return isHub ? { route: 'hub', repository: undefined } : other
}
