import path from 'node:path'
import { canonicalName, formatReference, isReference, parseReference } from '@katman/oci'

/**
 * Why a scope of a transport can speak of no image; undefined when it can. A scope that is never asked would let through
 * what it was written to refuse. The scopes of transports that are not known here are not judged.
 */
export function whyNoScope(transport: string, scope: string): string | undefined {
  // The default of the transport.
  if (scope === '') return undefined
  switch (transport) {
    case 'docker':
      return isRegistryScope(scope)
        ? undefined
        : 'is neither a host, a name below one, spelled out, an image, nor *.DOMAIN'
    case 'oci':
    case 'oci-archive':
      return whyNoPath(scope)
    case 'docker-archive':
      return 'cannot be: docker-archive has the scope "" only'
    default:
      return undefined
  }
}

function isRegistryScope(scope: string): boolean {
  if (scope.startsWith('*.')) return /^[\w-]+(\.[\w-]+)*$/.test(scope.slice(2))
  // A host or a part of a name is one that a longer name can begin with.
  const longer = `${scope}/x/y`
  if (isReference(longer)) return canonicalName(parseReference(longer)) === longer
  return isReference(scope) && formatReference(parseReference(scope)) === scope
}

function whyNoPath(scope: string): string | undefined {
  if (!scope.startsWith('/')) return 'is no absolute path'
  if (scope === '/') return 'is the scope "", which must be written so'
  const clean = path.posix.normalize(scope).replace(/\/$/, '')
  return clean === scope ? undefined : `is not written as ${clean}`
}
