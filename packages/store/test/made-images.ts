import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createHash } from 'node:crypto'
import { tarBytes } from '@katman/layer'
import { type Descriptor, type Digest, mediaTypes, parseDigest, parseReference } from '@katman/oci'
import { type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import {
  openStore,
  type PullOptions,
  pullImage,
  type PullResult,
  type Store,
} from '../src/index.ts'

/** Facts of an image to make; each has a default. */
interface ImageFacts {
  readonly architecture?: string
  readonly created?: string
  readonly labels?: Readonly<Record<string, string>>
  /** One file each, of this content. */
  readonly layers?: readonly string[]
  readonly history?: readonly object[]
  /** Replaces fields of the config. */
  readonly config?: Readonly<Record<string, unknown>>
}

export interface MadeImage {
  readonly manifest: Descriptor
  readonly id: Digest
  readonly diffIDs: readonly Digest[]
}

/** A place in memory and a store on disk for one test. */
export interface Workshop extends AsyncDisposable {
  readonly place: MemoryPlace
  /** The store; a new handle on it behind {@link Workshop.release}. */
  readonly store: Store
  /** Another handle on the same store, as another process has it. */
  reopen(): Promise<Store>
  /** Closes the handle, which holds what it has seen, and opens a new one. */
  release(): Promise<void>
  add(facts?: ImageFacts): MadeImage
  addIndex(entries: readonly Descriptor[]): Descriptor
  /** Tags in the place what `name` says and pulls it. */
  pull(name: string, target: Descriptor, options?: Partial<PullOptions>): Promise<PullResult>
}

export const amd64 = { os: 'linux', architecture: 'amd64' }

export async function openWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-images-'))
  const place = openMemoryPlace('test registry')
  const reopen = (): Promise<Store> => openStore({ root: path.join(folder, 'store'), workers: 0 })
  let store = await reopen()
  return {
    place,
    get store() {
      return store
    },
    reopen,
    async release() {
      await store[Symbol.asyncDispose]()
      store = await reopen()
    },
    add(facts = {}) {
      const { architecture = 'amd64', created, labels, layers = ['hello'], history } = facts
      const tars = layers.map((content) =>
        tarBytes([{ name: `file-${content.slice(0, 20)}`, content }]),
      )
      const diffIDs = tars.map(digestOf)
      const config = place.add(
        mediaTypes.ociConfig,
        encode({
          os: 'linux',
          architecture,
          created,
          config: { Labels: labels },
          rootfs: { type: 'layers', diff_ids: diffIDs },
          history,
          ...facts.config,
        }),
      )
      const mediaType = mediaTypes.ociManifest
      const manifest = place.add(
        mediaType,
        encode({
          schemaVersion: 2,
          mediaType,
          config,
          layers: tars.map((tar) => place.add(mediaTypes.ociLayer, tar)),
        }),
      )
      return { manifest, id: config.digest, diffIDs }
    },
    addIndex(manifests) {
      const mediaType = mediaTypes.ociIndex
      return place.add(mediaType, encode({ schemaVersion: 2, mediaType, manifests }))
    },
    async pull(name, target, options = {}) {
      const reference = parseReference(name)
      if (reference.digest === undefined) await place.tag(reference.tag ?? 'latest', target)
      return pullImage(store, place, reference, { platform: amd64, ...options })
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

export function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}
