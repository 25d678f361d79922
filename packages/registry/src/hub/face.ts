import type { AddressOf } from '../address.ts'
import type { Need, Visitor } from '../access.ts'
import { isTag } from '@katman/oci'
import type { Database } from '../database/database.ts'
import type { DistributionContext } from '../distribution/context.ts'
import { deleteManifest } from '../distribution/delete-manifest.ts'
import type { Face } from '../face.ts'
import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { isRepositoryName } from '../route.ts'
import { editRepository } from './edit-repository.ts'
import { findRepository, type FoundRepository } from './find-repository.ts'
import { HubError, hubErrorResponse, objectNotFound } from './hub-error.ts'
import { type HubRoute, parseHubRoute } from './hub-route.ts'
import { pageOf, readPaging } from './paging.ts'
import {
  type IsPrivate,
  listNamespace,
  readPage,
  showListed,
  showRepository,
} from './repositories.ts'
import { searchPages, showFound } from './search.ts'
import { hasStar, setStar } from './stars.ts'
import { getHubTag, listHubTags } from './tags.ts'

export interface HubFaceOptions {
  readonly database: Database
  readonly core: DistributionContext
  readonly addressOf: AddressOf
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Whether everybody may do everything. */
  readonly isOpen: boolean
  /** Which repositories only some may pull from, as it is now. */
  readonly readPrivacy: () => Promise<IsPrivate>
}

interface Call extends HubFaceOptions {
  readonly request: RegistryRequest
  readonly admit: (need: Need) => Promise<Visitor>
}

/** Answers Docker Hub's API for repositories, tags and search, as its clients know it. */
export function createHubFace(options: HubFaceOptions): Face {
  return async (request, admit) => {
    const route = parseHubRoute(request.path)
    if (route === undefined) return undefined
    try {
      return await answer(route, { ...options, request, admit })
    } catch (error) {
      if (error instanceof HubError) return hubErrorResponse(error)
      // What is wrong with a request is told as Docker Hub tells it.
      if (error instanceof Refusal && [400, 404, 413].includes(error.status)) {
        return hubErrorResponse(new HubError(error.status, error.message))
      }
      throw error
    }
  }
}

const readMethods = ['GET', 'HEAD']
const methods: Readonly<Record<HubRoute['kind'], readonly string[]>> = {
  repositories: readMethods,
  repository: [...readMethods, 'PATCH'],
  tags: readMethods,
  tag: [...readMethods, 'DELETE'],
  stars: ['POST', 'DELETE'],
  search: readMethods,
}

async function answer(route: HubRoute, call: Call): Promise<RegistryResponse> {
  const allowed = methods[route.kind]
  if (!allowed.includes(call.request.method)) {
    const response = json(405, { message: 'method not allowed', errinfo: {} })
    return { ...response, headers: { ...response.headers, allow: allowed.join(', ') } }
  }
  switch (route.kind) {
    case 'repositories':
      return answerNamespace(route.namespace, call)
    case 'search':
      return answerSearch(call)
    case 'repository':
      return answerRepository(route.name, call)
    case 'tags':
      return answerTags(route.name, call)
    case 'tag':
      return answerTag(route.name, route.tag, call)
    case 'stars':
      return answerStar(route.name, call)
    default:
      return route satisfies never
  }
}

async function answerNamespace(namespace: string, call: Call): Promise<RegistryResponse> {
  const { request, database } = call
  const visitor = await call.admit('search')
  const isPrivate = await call.readPrivacy()
  const paging = readPaging(request)
  const { count, rows } = await listNamespace(
    database,
    namespace,
    {
      ...paging,
      ordering: request.query.get('ordering') ?? 'last_updated',
      name: request.query.get('name') ?? '',
    },
    (name) => visitor.maySee(name),
  )
  return json(
    200,
    pageOf(request, call.addressOf(request), paging, {
      count,
      results: rows.map((row) => showListed(row, isPrivate)),
    }),
  )
}

async function answerSearch(call: Call): Promise<RegistryResponse> {
  const { request, database } = call
  const visitor = await call.admit('search')
  const paging = readPaging(request)
  const { query } = request
  const official = query.get('is_official')
  const { count, rows } = await searchPages(
    database,
    {
      ...paging,
      term: query.get('query') ?? query.get('q') ?? '',
      isOfficial: official === null ? undefined : official === 'true' || official === '1',
    },
    (name) => visitor.maySee(name),
  )
  return json(
    200,
    pageOf(request, call.addressOf(request), paging, { count, results: rows.map(showFound) }),
  )
}

async function answerRepository(name: string, call: Call): Promise<RegistryResponse> {
  const { request, database, isOpen } = call
  const { repository, visitor } = await enter(name, call)
  if (request.method === 'PATCH') {
    const admin = await call.admit({ repository: repository.name, actions: ['admin'] })
    await editRepository(database, repository, { request, visitor: admin, isOpen, now: call.now() })
  }
  const row = await readPage(database, repository.id)
  if (row === undefined) throw objectNotFound(name)
  const permissions = {
    read: true,
    write: visitor.may({ repository: repository.name, actions: ['pull', 'push'] }),
    admin: visitor.may({ repository: repository.name, actions: ['admin'] }),
  }
  return json(
    200,
    showRepository(row, permissions, {
      hasStarred: await hasStar(database, repository.id, visitor.account),
      isPrivate: await call.readPrivacy(),
    }),
  )
}

async function answerTags(name: string, call: Call): Promise<RegistryResponse> {
  const { request, database } = call
  const { repository } = await enter(name, call)
  const paging = readPaging(request)
  const found = await listHubTags(
    database,
    repository,
    {
      ...paging,
      name: request.query.get('name') ?? '',
      ordering: request.query.get('ordering') ?? 'last_updated',
    },
    call.now(),
  )
  return json(200, pageOf(request, call.addressOf(request), paging, found))
}

async function answerTag(name: string, tag: string, call: Call): Promise<RegistryResponse> {
  const { repository } = await enter(name, call)
  if (call.request.method === 'DELETE') return removeTag(repository.name, tag, call)
  const found = await getHubTag(call.database, repository, tag, call.now())
  if (found === undefined) throw objectNotFound(name, { tag: tag.slice(0, 128) })
  return json(200, found)
}

/** As the distribution API deletes it. */
async function removeTag(repository: string, tag: string, call: Call): Promise<RegistryResponse> {
  const { account } = await call.admit({ repository, actions: ['delete'] })
  if (!isTag(tag)) throw objectNotFound(repository, { tag: tag.slice(0, 128) })
  const asked = { actor: account, at: call.now() }
  await deleteManifest(call.core, { repository, reference: tag }, asked)
  return { status: 204 }
}

async function answerStar(name: string, call: Call): Promise<RegistryResponse> {
  const { repository, visitor } = await enter(name, call)
  if (visitor.account === undefined) throw new HubError(401, 'log in to star a repository')
  const isStarred = call.request.method === 'POST'
  await setStar(call.database, {
    repositoryId: repository.id,
    account: visitor.account,
    isStarred,
    at: call.now(),
  })
  return { status: isStarred ? 201 : 204 }
}

/**
 * A repository that the client may pull from. The gate is asked for the name that the client gave, so that it learns nothing from a
 * refusal: what it may not see answers as what is not there.
 */
async function enter(
  name: string,
  { database, admit }: Call,
): Promise<{ readonly repository: FoundRepository; readonly visitor: Visitor }> {
  if (!isRepositoryName(name)) throw objectNotFound(name)
  const visitor = await admit({ repository: name, actions: ['pull'] })
  const repository = await findRepository(database, name)
  if (repository === undefined) throw objectNotFound(name)
  const isSeen =
    repository.name === name || visitor.may({ repository: repository.name, actions: ['pull'] })
  if (!isSeen) throw objectNotFound(name)
  return { repository, visitor }
}
