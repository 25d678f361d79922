import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { tarBytes } from '@katman/layer'
import { type Digest, mediaTypes, parseReference } from '@katman/oci'
import {
  checkStore,
  openStore,
  pullImage,
  pushImage,
  type ReferenceRecord,
  type Store,
} from '@katman/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addImage, digestOf, type HostileImage, platform } from '../hostile/hostile-image.ts'
import { type HostileRegistry, startHostileRegistry } from '../hostile/hostile-registry.ts'
import {
  answerFaults,
  bodyFaults,
  expectedOutcome,
  type FaultKind,
  resumeFaults,
} from './catalogue.ts'
import { openClient } from './client.ts'
import { createFaultTable, outcomeOf } from './fault-table.ts'
import { blobContent, tagged } from '../registry/content.ts'

// Every fault against every request of a push. Whatever happens, it ends in success or a coded error, the registry holds
// no wrong byte and no name for what is not whole, and the next push succeeds.

/** What is pushed: `small` goes in one request a blob, the layer of `large` in a stream. */
interface Pushed {
  readonly record: ReferenceRecord
  readonly image: HostileImage
  readonly options: { readonly layer: { bytes: Uint8Array; diffID: Digest; mediaType: string } }
}

interface Operation {
  readonly pattern: (image: HostileImage) => RegExp
  readonly size: 'small' | 'large'
  /** Where a body is that can be hurt. */
  readonly body?: 'answer' | 'request'
}

const operations: Readonly<Record<string, Operation>> = {
  token: { pattern: () => /GET \/token/, size: 'small', body: 'answer' },
  ask: {
    pattern: ({ layers }) => new RegExp(`HEAD .*blobs/${layers[1].digest}`),
    size: 'small',
  },
  mount: { pattern: () => /POST .*\?mount=/, size: 'small' },
  open: { pattern: () => /POST .*uploads\/(\?again|$)/, size: 'small' },
  blob: {
    pattern: ({ layers }) => new RegExp(`PUT .*uploads.*${encodeURIComponent(layers[1].digest)}`),
    size: 'small',
    body: 'request',
  },
  stream: { pattern: () => /PATCH /, size: 'large', body: 'request' },
  close: {
    pattern: ({ layers }) => new RegExp(`PUT .*uploads.*${encodeURIComponent(layers[1].digest)}`),
    size: 'large',
  },
  manifest: {
    pattern: ({ manifest }) => new RegExp(`PUT .*manifests/${manifest.digest}`),
    size: 'small',
    body: 'request',
  },
  tag: { pattern: () => /PUT .*manifests\/latest/, size: 'small', body: 'request' },
}

const table = createFaultTable('push', Object.keys(operations))
let root: string
let store: Store
let images: Readonly<Record<'small' | 'large', Pushed>>

beforeAll(async () => {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  root = await mkdtemp(path.join(parent, 'katman-faults-'))
  store = await openStore({ root, workers: 0 })
  await using registry = await startHostileRegistry()
  images = {
    small: await fill(registry, 'small', 100_000),
    large: await fill(registry, 'large', 4_500_000),
  }
})
afterAll(async () => {
  table.print()
  expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
  await store[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})

describe('a push', () => {
  it.each(answerFaults)('of which an answer meets: $name', async (kind) => {
    await Promise.all(Object.keys(operations).map((operation) => meet(kind, operation)))
    expect(table.row(kind.name)).toBe(expectedOutcome(kind, 'push'))
  })

  it.each(bodyFaults)('of which a body meets: $name', async (kind) => {
    await Promise.all(Object.keys(operations).map((operation) => meet(kind, operation)))
    expect(table.row(kind.name)).toBe(expectedOutcome(kind, 'push'))
  })

  it.each(resumeFaults)('of which the rest of a layer meets: $name', async (kind) => {
    await meet(kind, 'stream')
    expect(table.row(kind.name)).toBe(expectedOutcome(kind, 'push'))
  })
})

async function meet(kind: FaultKind, operation: string): Promise<void> {
  const {
    pattern,
    size,
    body = 'none',
  } = operations[operation] ?? { pattern: () => /^$/, size: 'small' }
  const isOfBody = !answerFaults.includes(kind)
  const fault = isOfBody && body === 'request' ? kind.body : kind.answer
  if (fault === undefined || (isOfBody && body === 'none')) return
  const { record, image, options } = images[size]
  await using registry = await startHostileRegistry()
  if (operation === 'mount') await addImage(registry.storage, options)
  const reference = parseReference(`${registry.host}/team/cell:latest`)
  const push = async (): Promise<void> => {
    await using client = openClient({ isImpatient: kind.isSlow === true })
    const target = client.repository(reference, {
      mountSources: () => (operation === 'mount' ? ['team/app'] : []),
      uploadLedger: store.uploads,
    })
    await pushImage(store, target, { reference, record })
  }
  let met = 0
  registry.disturb(
    pattern(image),
    (exchange) => {
      met++
      return fault(exchange)
    },
    kind.times,
  )
  if (kind.rest !== undefined) registry.disturb(/GET .*uploads/, kind.rest.push, 1)
  if (operation === 'token') registry.wantTokens()
  const outcome = await outcomeOf(push)
  table.record(kind.name, operation, outcome)
  expect(met).toBeGreaterThan(0)
  if (kind.isCut) {
    const bytes = [image.config, ...image.layers].reduce((sum, one) => sum + one.size, 0)
    // Of a small body all may be on its way before the cut is seen.
    const bound = size === 'large' ? bytes * 1.1 : bytes * 2 + 20_000
    expect(registry.traffic().received).toBeLessThan(bound)
  }
  await expectRight(registry, image, outcome === 'ok')
  registry.behave()
  await push()
  await expectRight(registry, image, true)
}

/** No blob is another one; with the tag everything is there. */
async function expectRight(
  { storage }: HostileRegistry,
  image: HostileImage,
  isPushed: boolean,
): Promise<void> {
  const tag = await tagged(storage, 'team/cell', 'latest')
  if (isPushed || tag !== undefined) expect(tag).toBe(image.index.digest)
  for (const { digest, size } of [image.config, ...image.layers]) {
    const found = await blobContent(storage, 'team/cell', digest)
    if (tag === undefined && found === undefined) continue
    expect(found?.byteLength).toBe(size)
    expect(digestOf(Buffer.from(found ?? []))).toBe(digest)
  }
}

/** An image in the registry and in the store. */
async function fill(registry: HostileRegistry, tag: string, bytes: number): Promise<Pushed> {
  const content = createHash('shake256', { outputLength: bytes }).update(tag).digest()
  const tar = tarBytes([{ name: 'usr/share/noise', content }])
  const options = {
    layer: { bytes: tar, diffID: digestOf(tar), mediaType: mediaTypes.ociLayer },
  }
  const image = await addImage(registry.storage, { ...options, tag })
  await using client = openClient()
  const reference = parseReference(`${registry.host}/team/app:${tag}`)
  await pullImage(store, client.repository(reference), reference, { platform })
  const record = (await store.references()).find(({ name }) => name.endsWith(`app:${tag}`))
  if (record === undefined) throw new TypeError('not pulled')
  return { record, image, options }
}
