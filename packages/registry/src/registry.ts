import { type Gate, needOf, openGate, type Visitor } from './access.ts'
import { deleteBlob, describeBlob, readBlob } from './distribution/blobs.ts'
import { listRepositories } from './distribution/catalog.ts'
import { type Asked, createContext, type DistributionOptions } from './distribution/context.ts'
import { deleteManifest } from './distribution/delete-manifest.ts'
import { putManifest, readManifest } from './distribution/manifests.ts'
import { listReferrers } from './distribution/referrers.ts'
import { listTags } from './distribution/tag-list.ts'
import { createUploadHandlers } from './distribution/uploads.ts'
import type { Face } from './face.ts'
import { json, type RegistryRequest, type RegistryResponse } from './http.ts'
import { refuseOtherSites } from './own-site.ts'
import type { PullThrough } from './proxy/pull-through.ts'
import { Refusal, refusalResponse } from './refusal.ts'
import { parseRoute, type Route } from './route.ts'
import { searchRepositories } from './search.ts'

export interface Registry {
  /** Answers a request. Never rejects: a failure is an error document. */
  handle(request: RegistryRequest): Promise<RegistryResponse>
}

export interface CreateRegistryOptions extends DistributionOptions {
  /** Default: everybody may do everything. */
  readonly gate?: Gate
  /** Answer the paths beside the distribution API. */
  readonly faces?: readonly Face[]
  /** Brings in what other registries have. */
  readonly pullThrough?: PullThrough | undefined
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

const momentMs = 1000

/** The distribution API (distribution-spec 1.1 and what its main branch adds) for whatever listens. */
export function createRegistry(options: CreateRegistryOptions): Registry {
  const { faces = [], gate = openGate, pullThrough } = options
  const context = createContext(options)
  const { database, now } = context
  const uploads = createUploadHandlers(context)

  async function answer(given: RegistryRequest): Promise<RegistryResponse> {
    const request = pullThrough?.underOwnName(given) ?? given
    refuseOtherSites(request)
    const outside = await gate.handle?.(request)
    if (outside !== undefined) return outside
    const route = parseRoute(request.path)
    if (route === undefined) {
      for (const face of faces) {
        const answered = await face(request, async (need) => gate.admit(request, need))
        if (answered !== undefined) return answered
      }
      throw new Refusal(404, 'NAME_UNKNOWN', 'no such endpoint')
    }
    const allowed = methods[route.kind]
    if (!allowed.includes(request.method)) {
      throw new Refusal(405, 'UNSUPPORTED', 'the operation is unsupported', {
        headers: { allow: allowed.join(', ') },
      })
    }
    const visitor = await gate.admit(request, needOf(route, request.method, request.query))
    const before = await pullThrough?.before(request, route)
    if (before?.response !== undefined) return before.response
    const asked = askedBy(visitor)
    const response = await answerRoute(request, route, visitor, asked)
    if (before?.headers === undefined) return response
    return { ...response, headers: { ...response.headers, ...before.headers } }
  }

  /** A body may take hours, and a right may be taken away meanwhile. What took no time is not asked about twice. */
  function askedBy(visitor: Visitor): Asked {
    const at = now()
    return {
      actor: visitor.account,
      at,
      async admitAgain() {
        if (now() - at > momentMs) await visitor.admitAgain?.()
      },
    }
  }

  async function answerRoute(
    request: RegistryRequest,
    route: Route,
    visitor: Visitor,
    asked: Asked,
  ): Promise<RegistryResponse> {
    switch (route.kind) {
      case 'base':
        return json(200, {})
      case 'catalog':
        return listRepositories(context, request, (name) => visitor.maySee(name))
      case 'search':
        return searchRepositories(database, request, (name) => visitor.maySee(name))
      case 'manifest':
        if (request.method === 'PUT') return putManifest(context, request, route, asked)
        if (request.method === 'DELETE') return deleteManifest(context, route, asked)
        return readManifest(context, request, route, asked)
      case 'blob':
        if (request.method === 'HEAD') return describeBlob(context, request, route)
        if (request.method === 'DELETE') return deleteBlob(context, route, asked)
        return readBlob(context, request, route)
      case 'uploads':
        return uploads.start(request, route.repository, visitor, asked)
      case 'upload':
        return uploads.go(request, route, asked)
      case 'tags':
        return listTags(context, request, route.repository)
      case 'referrers':
        return listReferrers(context, request, route)
      default:
        return route satisfies never
    }
  }

  return {
    handle: (request) => answer(request).catch(refusalResponse),
  }
}
