import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { Bytes } from '@katman/oci'
import { migrate } from '../../src/database/migrate.ts'
import type { Database } from '../../src/database/database.ts'
import { openFolderObjects } from '../../src/objects/folder-objects.ts'
import { createContext } from '../../src/distribution/context.ts'
import { createRegistry, type Registry } from '../../src/registry.ts'
import { type Gate, openGate } from '../../src/access.ts'
import { evict } from '../../src/proxy/evict.ts'
import type { Content } from '../../src/proxy/content.ts'
import { createContent } from '../../src/proxy/content-in-database.ts'
import { createPullThrough, type PullThrough } from '../../src/proxy/pull-through.ts'
import type { UpstreamOptions } from '../../src/proxy/upstream.ts'
import type { RegistryResponse } from '../../src/http.ts'
import { type OpenDatabase, openMemoryDatabase } from '../databases.ts'
import { makeFolder } from '../support.ts'

export interface TestCache extends AsyncDisposable {
  readonly content: Content
  readonly database: Database
  readonly spoolFolder: string
  readonly pullThrough: PullThrough
  /** What the people who run it were told. */
  readonly warned: string[]
  /** Moves the clock, in seconds. */
  wait(seconds: number): void
  /** Asks as a client would; what is here is answered from here. */
  ask(method: string, target: string, headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** Removes what upstreams may not keep. How many manifests. */
  evict(): Promise<number>
  /** Resolves when what was noted of reads is written. */
  idle(): Promise<void>
  /** A second replica on the same database and objects, with other options of the upstreams. */
  replica(options?: Partial<UpstreamOptions>): TestCache
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Reads the body; rejects when the connection would be cut. */
  read(): Promise<Buffer>
  readonly body: Bytes
}

export async function openCache(
  upstreams: readonly UpstreamOptions[],
  {
    gate = openGate,
    open = openMemoryDatabase,
  }: { readonly gate?: Gate; readonly open?: OpenDatabase } = {},
): Promise<TestCache> {
  const folder = await makeFolder()
  const database = await open()
  await migrate(database)
  const objects = await openFolderObjects(path.join(folder, 'objects'))
  let later = 0
  const now = (): number => Date.now() + later * 1000
  const core = { database, objects, now }
  const content = createContent(createContext(core), { how: 'pull' })

  function openReplica(
    close: () => Promise<void>,
    changed: Partial<UpstreamOptions> = {},
  ): TestCache {
    const warned: string[] = []
    const pullThrough = createPullThrough({
      upstreams: upstreams.map((upstream) => ({ ...upstream, ...changed })),
      content,
      database,
      spoolFolder: path.join(folder, 'spool'),
      userAgent: 'katman/test',
      now,
      warn: (line) => warned.push(line),
    })
    const registry = createRegistry({ ...core, gate, pullThrough })
    return {
      content,
      database,
      warned,
      pullThrough,
      spoolFolder: path.join(folder, 'spool'),
      wait(seconds) {
        later += seconds
      },
      ask: (method, target, headers = {}) => ask(registry, method, target, headers),
      evict: () => evict({ database, content, upstreams: pullThrough.upstreams, now }),
      // A transaction of its own comes after those that were begun.
      idle: () => database.transaction(async () => undefined),
      replica: (options) => openReplica(async () => undefined, options),
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
  registry: Registry,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
): Promise<Answer> {
  const url = new URL(`http://here/v2/${target}`)
  return answerOf(
    await registry.handle({
      method,
      path: url.pathname,
      query: url.searchParams,
      header: (name) => headers[name],
      body: none(),
    }),
  )
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
