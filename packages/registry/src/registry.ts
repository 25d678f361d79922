import { type Gate, needOf, openGate } from './access.ts'
import { handleBlob } from './blobs.ts'
import type { Face } from './face.ts'
import { json, type RegistryRequest, type RegistryResponse } from './http.ts'
import { listReferrers, listRepositories, listTags } from './lists.ts'
import { handleManifest } from './manifests.ts'
import { Refusal, refusalResponse } from './refusal.ts'
import { parseRoute, type Route } from './route.ts'
import { searchRepositories } from './search.ts'
import type { RegistryStorage } from './storage.ts'
import { createUploadHandlers } from './uploads.ts'

export interface Registry {
  /** Answers a request. Never rejects: a failure is an error document. */
  handle(request: RegistryRequest): Promise<RegistryResponse>
}

const methods: Readonly<Record<Route['kind'], readonly string[]>> = {
  base: ['GET', 'HEAD'],
  catalog: ['GET'],
  search: ['GET'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  uploads: ['POST'],
  upload: ['GET', 'PATCH', 'PUT', 'DELETE'],
  tags: ['GET'],
  referrers: ['GET'],
}

/** The distribution API (distribution-spec 1.1) over a storage, for whatever listens. */
export function createRegistry(
  storage: RegistryStorage,
  gate: Gate = openGate,
  faces: readonly Face[] = [],
): Registry {
  const uploads = createUploadHandlers(storage)

  async function answer(request: RegistryRequest): Promise<RegistryResponse> {
    const outside = await gate.handle?.(request)
    if (outside !== undefined) return outside
    const route = parseRoute(request.path)
    if (route === undefined) {
      for (const face of faces) {
        const answered = await face(request, async (need) => gate.admit(request, need))
        if (answered !== undefined) return answered
      }
    }
    if (route === undefined) throw new Refusal(404, 'NAME_UNKNOWN', 'no such endpoint')
    const allowed = methods[route.kind]
    if (!allowed.includes(request.method)) {
      throw new Refusal(405, 'UNSUPPORTED', 'the operation is unsupported', {
        headers: { allow: allowed.join(', ') },
      })
    }
    const visitor = await gate.admit(request, needOf(route, request.method))
    switch (route.kind) {
      case 'base':
        return json(200, {})
      case 'catalog':
        return listRepositories(storage, request, (name) => visitor.maySee(name))
      case 'search':
        return searchRepositories(storage, request, (name) => visitor.maySee(name))
      case 'manifest':
        return handleManifest(storage, request, route)
      case 'blob':
        return handleBlob(storage, request, route)
      case 'uploads':
        return uploads.start(request, {
          repository: route.repository,
          mayPull: (from) => visitor.may({ repository: from, actions: ['pull'] }),
        })
      case 'upload':
        return uploads.go(request, route)
      case 'tags':
        return listTags(storage, request, route.repository)
      case 'referrers':
        return listReferrers(storage, request, route)
      default:
        return route satisfies never
    }
  }

  return {
    handle: (request) => answer(request).catch(refusalResponse),
  }
}
