import { type Gate, needOf, openGate, type Visitor } from './access.ts'
import type { ChangeListener, Pull } from './change.ts'
import type { Database } from './database/database.ts'
import { deleteBlob, describeBlob, readBlob } from './distribution/blobs.ts'
import { listRepositories } from './distribution/catalog.ts'
import {
  type Asked,
  defaultLimits,
  type DistributionContext,
  type DistributionLimits,
  type Redirects,
} from './distribution/context.ts'
import { deleteManifest } from './distribution/delete-manifest.ts'
import { putManifest, readManifest } from './distribution/manifests.ts'
import { listReferrers } from './distribution/referrers.ts'
import { listTags } from './distribution/tag-list.ts'
import { createUploadHandlers } from './distribution/uploads.ts'
import type { Face } from './face.ts'
import { json, type RegistryRequest, type RegistryResponse } from './http.ts'
import type { ObjectStore } from './object-store.ts'
import { Refusal, refusalResponse } from './refusal.ts'
import { parseRoute, type Route } from './route.ts'
import { searchRepositories } from './search.ts'

export interface Registry {
  /** Answers a request. Never rejects: a failure is an error document. */
  handle(request: RegistryRequest): Promise<RegistryResponse>
}

export interface CreateRegistryOptions {
  /** With its tables up to date. */
  readonly database: Database
  readonly objects: ObjectStore
  /** Default: everybody may do everything. */
  readonly gate?: Gate
  /** Answer the paths beside the distribution API. */
  readonly faces?: readonly Face[]
  /** Told of each change inside its transaction. */
  readonly listeners?: readonly ChangeListener[]
  /** Told of each manifest that was asked for. Must not throw. */
  readonly onPull?: (pull: Pull) => void
  /** Default: the registry sends blobs itself. */
  readonly redirects?: Redirects
  /** Whether manifests may name what is not in their repository. Default false: a push that lost a layer is noticed. */
  readonly allowSparse?: boolean
  readonly limits?: Partial<DistributionLimits>
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number
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

/** The distribution API (distribution-spec 1.1 and what its main branch adds) for whatever listens. */
export function createRegistry(options: CreateRegistryOptions): Registry {
  const { database, faces = [], gate = openGate, now = Date.now } = options
  const context: DistributionContext = {
    database,
    objects: options.objects,
    listeners: options.listeners ?? [],
    onPull: options.onPull ?? (() => undefined),
    now,
    limits: { ...defaultLimits, ...options.limits },
    allowSparse: options.allowSparse ?? false,
    redirects: options.redirects,
  }
  const uploads = createUploadHandlers(context)

  async function answer(request: RegistryRequest): Promise<RegistryResponse> {
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
    const visitor = await gate.admit(request, needOf(route, request.method))
    return answerRoute(request, route, visitor, { actor: visitor.account, at: now() })
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
