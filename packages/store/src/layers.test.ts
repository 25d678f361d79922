import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Descriptor, mediaTypes } from '@katman/oci'
import { openMemoryPlace, type WriteProgress } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFaultFiles } from '../test/fault-files.ts'
import { checkStore, openStore, type Store } from './index.ts'
import {
  digestOf,
  makeTestFolder,
  openTestPlace,
  pullTestImage,
  tarOf,
} from '../test/test-image.ts'

let root: string
beforeEach(() => {
  root = makeTestFolder()
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const locks = new Map<string, number>()
const tar = tarOf('etc/hello', 'hello\n')
const diffID = digestOf(tar)

describe('Store.write of layers', () => {
  it('indexes the layer, and finds it indexed', async () => {
    await withStore(async (store) => {
      const blob = gzipSync(tar)
      const descriptor = describeLayer(blob, mediaTypes.ociLayerGzip)
      expect(await store.has(descriptor, { diffID })).toBe(false)
      const states: WriteProgress['state'][] = []
      await store.write(descriptor, opener(blob), {
        diffID,
        onProgress: ({ state }) => states.push(state),
      })
      expect([...new Set(states)]).toEqual(['receiving', 'verifying', 'received', 'indexing'])
      expect(await store.has(descriptor, { diffID })).toBe(true)
      expect(await store.layerSize(diffID)).toBe('hello\n'.length)
      const index = await store.readLayerIndex(diffID)
      expect(index.entries.map((entry) => entry.path)).toContain('etc/hello')
    })
  })

  it('believes the bytes, not the media type, about the compression', async () => {
    await withStore(async (store) => {
      const blob = gzipSync(tar)
      await store.write(describeLayer(blob, mediaTypes.ociLayer), opener(blob), { diffID })
      expect(await store.layerSize(diffID)).toBe('hello\n'.length)
    })
  })

  it('refuses a layer that inflates too far, and keeps nothing', async () => {
    const bomb = tarOf('etc/zeros', '\0'.repeat(1_000_000))
    const blob = gzipSync(bomb)
    const place = await openTestPlace('bomb')
    for (const inlineBytes of [blob, gzipSync(bomb, { level: 0 })]) {
      const limited = { root, files: openFaultFiles(locks), maxLayerBytes: () => 100_000 }
      await using store = await openStore(limited)
      const descriptor = describeLayer(inlineBytes, mediaTypes.ociLayerGzip)
      const write = store.write(descriptor, opener(inlineBytes), { diffID: digestOf(bomb) })
      await expect(write).rejects.toMatchObject({
        code: 'LAYER_TOO_LARGE',
        message: 'layer has more than 100000 bytes',
      })
      expect(await store.has(descriptor)).toBe(false)
      expect(fs.readdirSync(path.join(root, 'ingest'))).toEqual([])
      await pullTestImage(store, place, 'app:latest')
      expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
    }
  })

  it('refuses a layer that is not the one the config names, and keeps nothing', async () => {
    await withStore(async (store) => {
      const other = tarOf('etc/evil', 'evil\n')
      const descriptor = describeLayer(other, mediaTypes.ociLayer)
      const write = store.write(descriptor, opener(other), { diffID })
      await expect(write).rejects.toMatchObject({ code: 'LAYER_CONTENT_MISMATCH' })
      expect(await store.has(descriptor)).toBe(false)
      expect(await store.layerSize(diffID)).toBeUndefined()
      for (const name of ['blobs/sha256', 'layers', 'ingest']) {
        expect(fs.readdirSync(path.join(root, name))).toEqual([])
      }
    })
  })

  it('verifies another blob for a layer it knows', async () => {
    await withStore(async (store) => {
      await store.write(describeLayer(tar, mediaTypes.ociLayer), opener(tar), { diffID })
      const packed = gzipSync(tar)
      const again = describeLayer(packed, mediaTypes.ociLayerGzip)
      expect(await store.has(again, { diffID })).toBe(false)
      await store.write(again, opener(packed), { diffID })
      expect(await store.has(again, { diffID })).toBe(true)
      const evil = gzipSync(tarOf('etc/evil', 'evil\n'))
      const write = store.write(describeLayer(evil, mediaTypes.ociLayerGzip), opener(evil), {
        diffID,
      })
      await expect(write).rejects.toMatchObject({ code: 'LAYER_CONTENT_MISMATCH' })
      expect(await store.has(again, { diffID })).toBe(true)
    })
  })

  it('indexes a blob that is there without fetching it', async () => {
    await withStore(async (store) => {
      const descriptor = describeLayer(tar, mediaTypes.ociLayer)
      await store.write(descriptor, opener(tar))
      expect(await store.has(descriptor)).toBe(true)
      expect(await store.has(descriptor, { diffID })).toBe(false)
      const refuse = async (): Promise<never> => {
        throw new Error('fetched')
      }
      await store.write(descriptor, refuse, { diffID })
      expect(await store.has(descriptor, { diffID })).toBe(true)
    })
  })

  it('puts a layer without record out of its way', async () => {
    const folder = path.join(root, 'layers', diffID.replace(':', '-'))
    await withStore(async () => {})
    fs.mkdirSync(folder)
    fs.writeFileSync(path.join(folder, 'index'), 'half')
    await withStore(async (store) => {
      const descriptor = describeLayer(tar, mediaTypes.ociLayer)
      await store.write(descriptor, opener(tar), { diffID })
      expect(await store.has(descriptor, { diffID })).toBe(true)
    })
  })

  it('says when an index is unknown or damaged', async () => {
    await withStore(async (store) => {
      await expect(store.readLayerIndex(diffID)).rejects.toMatchObject({ code: 'LAYER_UNKNOWN' })
      await store.write(describeLayer(tar, mediaTypes.ociLayer), opener(tar), { diffID })
      flip(path.join(root, 'layers', diffID.replace(':', '-'), 'index'))
      await expect(store.readLayerIndex(diffID)).rejects.toMatchObject({ code: 'LAYER_DAMAGED' })
    })
  })
})

describe('pullImage', () => {
  it('moves nothing the second time, and shares layers between images', async () => {
    const place = await openTestPlace('one', [tar])
    await withStore(async (store) => {
      expect(await pullTestImage(store, place, 'app:latest')).toMatchObject({
        movedBlobs: 1,
        changed: true,
      })
    })
    await withStore(async (store) => {
      expect(await pullTestImage(store, place, 'app:latest')).toMatchObject({
        movedBlobs: 0,
        changed: false,
      })
      const other = await openTestPlace('two', [tar])
      expect(await pullTestImage(store, other, 'other:latest')).toMatchObject({ movedBlobs: 0 })
      expect((await store.references()).map((record) => record.name)).toHaveLength(4)
      const resolved = await store.resolve('docker.io/library/app:latest')
      expect(await store.resolve(resolved.digest)).toEqual(resolved)
      await expect(store.resolve('docker.io/library/none:latest')).rejects.toMatchObject({
        code: 'MANIFEST_UNKNOWN',
      })
    })
  })

  it('keeps layers that another image needs when one is removed', async () => {
    const unshared = tarOf('only', 'mine')
    await withStore(async (store) => {
      await pullTestImage(store, await openTestPlace('one', [tar]), 'app:latest')
      const pulled = await pullTestImage(
        store,
        await openTestPlace('two', [tar, unshared]),
        'two:latest',
      )
      for (const { name } of await store.references()) {
        if (name.includes('two')) await store.removeReference(name)
      }
      for (const image of pulled.images) await store.removeImage(image.id)
    })
    await withStore(async (store) => {
      const { deleted } = await store.collectGarbage({ minAgeMs: 0 })
      expect(deleted.filter((item) => item.kind === 'layer').map((item) => item.digest)).toEqual([
        digestOf(unshared),
      ])
      expect(deleted.filter((item) => item.kind === 'blob')).toHaveLength(3)
      expect((await store.check({ level: 'hash' })).problems).toEqual([])
      const usage = await store.diskUsage()
      expect(usage.blobs).toBeGreaterThan(tar.byteLength)
      expect(usage.layers).toBeGreaterThan(0)
      expect(usage).toMatchObject({ trash: 0, ingest: 0, quarantine: 0 })
    })
  })
})

describe('Store.putImage and Store.setReference', () => {
  it('refuse what is not complete', async () => {
    const place = await openTestPlace('partial', [tar])
    const [image, reference] = await withStore(async (store) => {
      await pullTestImage(store, place, 'app:latest')
      return [(await store.images())[0], (await store.references())[0]]
    })
    if (image === undefined || reference === undefined) throw new Error('nothing pulled')
    fs.rmSync(path.join(root, 'layers', diffID.replace(':', '-')), { recursive: true })
    await withStore(async (store) => {
      await expect(store.putImage(image)).rejects.toMatchObject({ code: 'CONTENT_INCOMPLETE' })
      await expect(store.setReference({ ...reference, name: 'x' })).rejects.toMatchObject({
        code: 'CONTENT_INCOMPLETE',
      })
    })
  })
})

async function withStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await openStore({ root, files: openFaultFiles(locks) })
  return await use(store)
}

function describeLayer(bytes: Uint8Array, mediaType: string): Descriptor {
  return openMemoryPlace().add(mediaType, bytes)
}

function opener(bytes: Uint8Array) {
  return async (start: number) =>
    (async function* () {
      yield bytes.subarray(start)
    })()
}

function flip(file: string): void {
  const bytes = fs.readFileSync(file)
  bytes[bytes.byteLength >> 1] = (bytes[bytes.byteLength >> 1] ?? 0) ^ 1
  fs.writeFileSync(file, bytes)
}
