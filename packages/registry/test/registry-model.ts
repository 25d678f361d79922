import { createHash } from 'node:crypto'
import { childrenOf, type Digest, mediaTypes, parseDigest, parseManifest } from '@katman/oci'
import { type Cleaner, type CleanupTimes, defaultTimes } from '../src/cleanup/cleaner.ts'
import { createDeletedListener } from '../src/cleanup/deleted.ts'
import { deleteObjects, findOrphans } from '../src/cleanup/objects.ts'
import { checkCounters } from '../src/cleanup/recount.ts'
import { createReviewListener } from '../src/cleanup/review-listener.ts'
import { runCleanup } from '../src/cleanup/run-cleanup.ts'
import { createUsageListener } from '../src/cleanup/usage.ts'
import {
  type ChangeListener,
  createRegistry,
  type Database,
  migrate,
  type ObjectStore,
  type Registry,
  type RegistryRequest,
} from '../src/index.ts'
import { openMemoryObjects } from '../src/objects/memory-objects.ts'
import type { OpenDatabase } from './databases.ts'
import { gatedDatabase, gatedObjects } from './interleave.ts'

export const leaseMs = 100_000
export const condemnedMs = 100

const times: CleanupTimes = {
  ...defaultTimes,
  reviewAfterMs: 0,
  condemnedMs,
  untaggedMs: 50,
  orphanMs: -Date.now() * 2,
  readMs: 0,
  uploadsMs: leaseMs,
}

/** One registry's content, on which several replicas and workers act. */
export interface Model extends AsyncDisposable {
  readonly database: Database
  /** Moves the clock forward. */
  wait(ms: number): void
  /** One that acts: what it does to the database and the objects waits at its gates. */
  replica(pass?: () => Promise<void>): Replica
  /** Fails when something that is named is not there, or is wrong. Clients may have deleted what an index names. */
  checkReachable(options?: { readonly areEntriesDeleted: boolean }): Promise<void>
  /** Waits until everything is over, cleans up, and fails when something is left that nothing names. */
  checkGarbage(): Promise<void>
}

export interface Replica {
  readonly cleaner: Cleaner
  /** The status, and the body as text. */
  readonly send: (
    method: string,
    path: string,
    body?: Body,
  ) => Promise<{ readonly status: number; readonly text: string }>
}

interface Body {
  readonly text: string
  readonly type?: string
}

export async function openModel(open: OpenDatabase): Promise<Model> {
  const database = await open()
  await migrate(database)
  const objects = openMemoryObjects()
  let time = 1_000_000
  const now = (): number => time
  const listeners: readonly ChangeListener[] = [
    createUsageListener(),
    createDeletedListener(times),
    createReviewListener(times),
  ]
  const replica = (pass?: () => Promise<void>): Replica => {
    const own = {
      database: pass === undefined ? database : gatedDatabase(database, pass),
      objects: pass === undefined ? objects : gatedObjects(objects, pass),
    }
    const registry = createRegistry({ ...own, listeners, now, limits: { leaseMs, inlineBytes: 4 } })
    return { cleaner: cleanerOf(own, listeners, now), send: senderOf(registry) }
  }
  const plain = replica()
  return {
    database,
    wait(ms) {
      time += ms
    },
    replica,
    checkReachable: (options) => checkReachable(database, plain, options),
    async checkGarbage() {
      // Leases are over, then what was condemned is.
      for (const ms of [leaseMs * 2, condemnedMs, condemnedMs, condemnedMs]) {
        time += ms
        await runCleanup(plain.cleaner)
      }
      await findOrphans(plain.cleaner)
      await deleteObjects(plain.cleaner)
      await checkGarbage(database, objects)
    },
    [Symbol.asyncDispose]: () => database.close(),
  }
}

function cleanerOf(
  own: { readonly database: Database; readonly objects: ObjectStore },
  listeners: readonly ChangeListener[],
  now: () => number,
): Cleaner {
  return {
    ...own,
    now,
    options: times,
    warn: () => undefined,
    async tell(transaction, change) {
      for (const listener of listeners) await listener(transaction, change)
    },
  }
}

function senderOf(registry: Registry): Replica['send'] {
  return async (method, path, body) => {
    const url = new URL(`http://localhost/v2/${path}`)
    const bytes = Buffer.from(body?.text ?? '')
    const headers = new Map([['content-length', String(bytes.byteLength)]])
    if (body?.type !== undefined) headers.set('content-type', body.type)
    const request: RegistryRequest = {
      method,
      path: url.pathname,
      query: url.searchParams,
      header: (name) => headers.get(name),
      body: single(bytes),
    }
    const response = await registry.handle(request)
    const chunks: Uint8Array[] = []
    if (response.body instanceof Uint8Array) chunks.push(response.body)
    else for await (const chunk of response.body ?? []) chunks.push(chunk)
    return { status: response.status, text: Buffer.concat(chunks).toString() }
  }
}

async function checkReachable(
  database: Database,
  { send }: Replica,
  { areEntriesDeleted = false } = {},
): Promise<void> {
  const tags = await database.all<{ readonly repository: string; readonly name: string }>(
    'SELECT r.name AS repository, t.name FROM tags t JOIN repositories r ON r.id = t.repository_id',
  )
  for (const { repository, name } of tags) {
    const { status } = await send('GET', `${repository}/manifests/${name}`)
    if (status !== 200) throw new Error(`the tag ${repository}:${name} stands for nothing`)
  }
  const manifests = await database.all<{
    readonly repository: string
    readonly digest: Digest
    readonly media_type: string
    readonly bytes: Uint8Array
  }>(
    `SELECT r.name AS repository, m.digest, m.media_type, m.bytes
      FROM manifests m JOIN repositories r ON r.id = m.repository_id`,
  )
  for (const { repository, bytes, media_type } of manifests) {
    const document = parseManifest(bytes, media_type)
    const kind = document.kind === 'index' ? 'manifests' : 'blobs'
    if (kind === 'manifests' && areEntriesDeleted) continue
    for (const { digest } of childrenOf(document)) {
      const { status, text } = await send('GET', `${repository}/${kind}/${digest}`)
      if (status !== 200) throw new Error(`${digest} is named in ${repository} and not there`)
      if (digestOf(text) !== digest) throw new Error(`${digest} has wrong bytes`)
    }
  }
}

async function checkGarbage(database: Database, objects: ObjectStore): Promise<void> {
  const left = await database.all(
    `SELECT digest FROM blobs WHERE digest NOT IN (SELECT digest FROM manifest_blobs)
      UNION ALL SELECT digest FROM repository_blobs l WHERE NOT EXISTS (
        SELECT 1 FROM manifest_blobs m WHERE m.repository_id = l.repository_id AND m.digest = l.digest)`,
  )
  if (left.length > 0) throw new Error(`left that nothing names: ${JSON.stringify(left)}`)
  const known = new Set(
    (
      await database.all<{ readonly object_key: string | null }>('SELECT object_key FROM blobs')
    ).map(({ object_key }) => object_key),
  )
  for await (const { key } of objects.list()) {
    if (!known.has(key)) throw new Error(`the object ${key} is left`)
  }
  const wrong = await checkCounters(database)
  if (wrong.length > 0) throw new Error(`wrong counters: ${JSON.stringify(wrong)}`)
}

/** The manifest of an image with these layers, each by its text. */
export function imageOf(layers: readonly string[], note = ''): Required<Body> {
  const describe = (text: string, mediaType: string) => ({
    mediaType,
    digest: digestOf(text),
    size: Buffer.byteLength(text),
  })
  const [first = ''] = layers
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: describe(first, mediaTypes.ociConfig),
    layers: layers.map((text) => describe(text, mediaTypes.ociLayer)),
    annotations: { note },
  }
  return { text: JSON.stringify(document), type: mediaTypes.ociManifest }
}

/** An index of these manifests. */
export function indexOf(manifests: readonly string[]): Required<Body> {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: manifests.map((text) => ({
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(text),
      size: Buffer.byteLength(text),
    })),
  }
  return { text: JSON.stringify(document), type: mediaTypes.ociIndex }
}

export function digestOf(text: string): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`)
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes
}
