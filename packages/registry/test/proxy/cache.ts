import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { Bytes } from '@katman/oci'
import { migrate } from '../../src/database/migrate.ts'
import { openSqlite } from '../../src/database/sqlite.ts'
import type { Database } from '../../src/database/database.ts'
import { openFolderObjects } from '../../src/objects/folder-objects.ts'
import type { Content } from '../../src/proxy/content.ts'
import { createContent } from '../../src/proxy/content-in-database.ts'
import { createPullThrough, type PullThrough } from '../../src/proxy/pull-through.ts'
import type { UpstreamOptions } from '../../src/proxy/upstream.ts'
import { refusalResponse } from '../../src/refusal.ts'
import { parseRoute } from '../../src/route.ts'
import type { RegistryRequest, RegistryResponse } from '../../src/http.ts'
import { makeFolder } from '../support.ts'

export interface TestCache extends AsyncDisposable {
  readonly content: Content
  readonly database: Database
  readonly spoolFolder: string
  readonly pullThrough: PullThrough
  /** Moves the clock, in seconds. */
  wait(seconds: number): void
  /** Asks as a client would; what is here is answered from here. */
  ask(method: string, target: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** A second replica on the same database and objects. */
  replica(): TestCache
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Reads the body; rejects when the connection would be cut. */
  read(): Promise<Buffer>
  readonly body: Bytes
}

export async function openCache(upstreams: readonly UpstreamOptions[]): Promise<TestCache> {
  const folder = await makeFolder()
  const database = await openSqlite(':memory:')
  await migrate(database)
  const objects = await openFolderObjects(path.join(folder, 'objects'))
  let later = 0
  const now = (): number => Date.now() + later * 1000
  const content = createContent({ database, objects, listeners: [], how: 'pull', now })

  function openReplica(close: () => Promise<void>): TestCache {
    const pullThrough = createPullThrough({
      upstreams,
      content,
      database,
      spoolFolder: path.join(folder, 'spool'),
      userAgent: 'katman/test',
      now,
    })
    return {
      content,
      database,
      pullThrough,
      spoolFolder: path.join(folder, 'spool'),
      wait(seconds) {
        later += seconds
      },
      ask: (method, target, headers = {}) => ask(pullThrough, content, method, target, headers),
      replica: () => openReplica(async () => undefined),
      async [Symbol.asyncDispose]() {
        await pullThrough.settled()
        await pullThrough[Symbol.asyncDispose]()
        await close()
      },
    }
  }

  return openReplica(async () => {
    await database.close()
    await rm(folder, { recursive: true, force: true })
  })
}

async function ask(
  pullThrough: PullThrough,
  content: Content,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const url = new URL(`http://here/v2/${target}`)
  const request: RegistryRequest = pullThrough.underOwnName({
    method,
    path: url.pathname,
    query: url.searchParams,
    header: (name) => headers[name],
    body: none(),
  })
  const route = parseRoute(request.path)
  if (route === undefined) throw new TypeError(`no route: ${request.path}`)
  try {
    const before = await pullThrough.before(request, route)
    if (before.response !== undefined) return answerOf(before.response)
    const added = before.headers ?? {}
    if (method !== 'GET' && method !== 'HEAD') return answerOf({ status: 200 })
    if (route.kind === 'manifest') {
      const found = await content.manifest(route.repository, route.reference)
      if (found === undefined) return answerOf({ status: 404 })
      const own = { 'docker-content-digest': found.digest, 'content-type': found.mediaType }
      return answerOf({ status: 200, headers: { ...own, ...added }, body: found.bytes })
    }
    if (route.kind === 'blob') {
      const size = await content.blobSize(route.repository, route.digest)
      if (size === undefined) return answerOf({ status: 404 })
      const body = content.openBlob(route.repository, route.digest, { start: 0, end: size })
      return answerOf({ status: 200, headers: added, body })
    }
    return answerOf({ status: 200, headers: added })
  } catch (error) {
    return answerOf(refusalResponse(error))
  }
}

function answerOf({ status, headers = {}, body = new Uint8Array() }: RegistryResponse): Answer {
  const bytes = body instanceof Uint8Array ? once(body) : body
  return {
    status,
    headers,
    body: bytes,
    async read() {
      const chunks: Uint8Array[] = []
      for await (const chunk of bytes) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
  }
}

async function* once(bytes: Uint8Array): Bytes {
  yield bytes
}

async function* none(): Bytes {}
