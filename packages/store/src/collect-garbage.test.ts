import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { type Descriptor, mediaTypes } from '@katman/oci'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFaultFiles } from '../test/fault-files.ts'
import { openStore, type Store } from './index.ts'
import {
  addImage,
  digestOf,
  makeTestFolder,
  openTestPlace,
  pullTestImage,
} from '../test/test-image.ts'

let root: string
beforeEach(() => {
  root = makeTestFolder()
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const locks = new Map<string, number>()
const open = (now?: () => Date): Promise<Store> =>
  openStore({ root, files: openFaultFiles(locks), ...(now && { now }) })
const later = (hours: number) => () => new Date(Date.now() + hours * 3_600_000)

describe('Store.collectGarbage', () => {
  it('removes what a forgotten image leaves, and keeps what another one needs', async () => {
    const place = await openTestPlace('kept')
    await place.tag('old', addImage(place, 'old'))
    await withStore(async (store) => {
      await pullTestImage(store, place, 'app:latest')
      const { images } = await pullTestImage(store, place, 'app:old')
      for (const { name } of await store.references()) {
        if (!name.endsWith(':latest')) await store.removeReference(name)
      }
      for (const image of images) await store.removeImage(image.id)
    })
    await withStore(async (store) => {
      const dry = await store.collectGarbage({ minAgeMs: 0, dryRun: true })
      expect(dry.deleted).toHaveLength(2)
      const done = await store.collectGarbage({ minAgeMs: 0 })
      expect(done).toEqual(dry)
      expect(done.reclaimedBytes).toBeGreaterThan(100)
      expect((await store.collectGarbage({ minAgeMs: 0 })).deleted).toEqual([])
      expect(await blobs()).toBe(2)
      expect((await store.check({ level: 'hash' })).problems).toEqual([])
    })
  })

  it('leaves young content, and content it is not asked about', async () => {
    const { digest } = await withStore((store) => put(store, randomBytes(10)))
    const other = await withStore((store) => put(store, randomBytes(10)))
    await withStore(async (store) => {
      expect((await store.collectGarbage()).deleted).toEqual([])
      const { deleted } = await store.collectGarbage({ minAgeMs: 0, only: [digest] })
      expect(deleted).toEqual([{ kind: 'blob', digest, sizeBytes: 10 }])
    })
    const { deleted } = await withStore((store) => store.collectGarbage(), later(1))
    expect(deleted.map((item) => item.digest)).toEqual([other.digest])
  })

  it('leaves what a live handle has written or found', async () => {
    const bytes = randomBytes(10)
    const descriptor = await withStore((store) => put(store, bytes))
    await withStore(async (holder) => {
      expect(await holder.has(descriptor)).toBe(true)
      const { deleted } = await withStore((store) => store.collectGarbage({ minAgeMs: 0 }))
      expect(deleted).toEqual([])
    })
    const { deleted } = await withStore((store) => store.collectGarbage({ minAgeMs: 0 }))
    expect(deleted).toHaveLength(1)
  })

  it('keeps what is named while it decides', async () => {
    // Another handle names the image at every call of the collection in turn.
    const place = await openTestPlace('moving')
    for (let at = 1; ; at++) {
      await withStore((store) => pullTestImage(store, place, 'app:latest'))
      const [reference] = await withStore((store) => store.references())
      const [image] = await withStore((store) => store.images())
      if (reference === undefined || image === undefined) throw new Error('nothing pulled')
      await withStore(async (store) => {
        for (const { name } of await store.references()) await store.removeReference(name)
        await store.removeImage(image.id)
      })
      let named: Promise<unknown> | undefined
      const files = openFaultFiles(locks)
      const second = await open()
      const counting = new Proxy(files, {
        get(target, key: keyof typeof files) {
          const call = target[key] as (...values: unknown[]) => unknown
          return (...values: unknown[]) => {
            const result = call(...values)
            if (files.calls() === at) {
              named = second
                .putImage(image)
                .then(() => second.setReference(reference))
                .then(
                  () => true,
                  (error: { code?: string }) => error.code,
                )
            }
            return result
          }
        },
      })
      const collecting = await openStore({ root, files: counting })
      await collecting.collectGarbage({ minAgeMs: 0 })
      await collecting[Symbol.asyncDispose]()
      const outcome = await named
      await second[Symbol.asyncDispose]()
      if (named === undefined) break
      // Either it came too late and was told so, or everything is there.
      expect([true, 'CONTENT_INCOMPLETE']).toContain(outcome)
      const { problems } = await withStore((store) => store.check({ level: 'hash' }))
      const half = outcome === true ? [] : problems.filter(({ kind }) => kind !== 'blob')
      expect(outcome === true ? problems : half).toEqual([])
      if (outcome !== true) {
        await withStore(async (store) => store.removeImage(image.id))
      }
    }
  })

  it('brings back what a killed collection had moved, when it is needed', async () => {
    const place = await openTestPlace('trashed')
    await withStore((store) => pullTestImage(store, place, 'app:latest'))
    const folder = path.join(root, 'blobs/sha256')
    for (const hex of fs.readdirSync(folder)) {
      fs.renameSync(path.join(folder, hex), path.join(root, 'trash', `blob.sha256-${hex}`))
    }
    const garbage = randomBytes(10)
    const trash = path.join(root, 'trash', `blob.${digestOf(garbage).replace(':', '-')}`)
    fs.writeFileSync(trash, garbage)
    await withStore(async (store) => {
      const [image] = await store.images()
      if (image === undefined) throw new Error('no image')
      const bytes = await Array.fromAsync(await store.open(image.manifest))
      expect(Buffer.concat(bytes).byteLength).toBe(image.manifest.size)
      expect((await store.check({ level: 'hash' })).problems).toEqual([])
      const { deleted } = await store.collectGarbage()
      expect(deleted.map((item) => item.digest)).toEqual([digestOf(garbage)])
      expect(await blobs()).toBe(2)
      expect(fs.readdirSync(path.join(root, 'trash'))).toEqual([])
    })
  })

  it('refuses to guess when a document it must follow is damaged', async () => {
    const place = await openTestPlace('damaged')
    const { images } = await withStore((store) => pullTestImage(store, place, 'app:latest'))
    const digest = images[0]?.manifest.digest ?? ''
    fs.writeFileSync(path.join(root, 'blobs', digest.replace(':', '/')), '{')
    await withStore(async (store) => {
      await expect(store.collectGarbage({ minAgeMs: 0 })).rejects.toMatchObject({
        code: 'STORE_DAMAGED',
      })
    })
    expect(await blobs()).toBe(2)
  })

  it('reaps what dead processes left: leases, unfinished files, downloads after a day', async () => {
    const dead = openFaultFiles(locks)
    const store = await openStore({ root, files: dead })
    const { digest } = await put(store, randomBytes(20))
    const bytes = randomBytes(200_000)
    const cut = store.write(descriptorOf(bytes), async () => one(bytes.subarray(0, 100_000)))
    await expect(cut).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    dead.die()
    const young = await withStore((other) => other.collectGarbage({ minAgeMs: 0 }))
    expect(young.deleted.map((item) => item.digest)).toEqual([digest])
    expect(fs.readdirSync(path.join(root, 'leases'))).toEqual([])
    expect(fs.readdirSync(path.join(root, 'tmp'))).toEqual([])
    const old = await withStore((other) => other.collectGarbage(), later(25))
    expect(old.deleted).toMatchObject([{ kind: 'ingest', digest: digestOf(bytes) }])
    expect(fs.readdirSync(path.join(root, 'ingest'))).toEqual([])
  })

  it('removes what was set aside only when it is told to', async () => {
    await withStore(async () => {})
    const folder = path.join(root, 'quarantine')
    fs.mkdirSync(path.join(folder, 'layer.x'))
    fs.writeFileSync(path.join(folder, 'layer.x/index'), 'damaged')
    fs.writeFileSync(path.join(folder, 'blob.y'), 'bad')
    await withStore(async (store) => {
      expect(await store.collectGarbage({ minAgeMs: 0 })).toMatchObject({ setAside: [] })
      const would = await store.collectGarbage({ quarantine: true, dryRun: true })
      expect(would.setAside).toEqual([
        { name: 'blob.y', sizeBytes: 3 },
        { name: 'layer.x', sizeBytes: 7 },
      ])
      expect(fs.readdirSync(folder)).toHaveLength(2)
      expect(await store.collectGarbage({ quarantine: true })).toEqual({
        deleted: [],
        setAside: would.setAside,
        reclaimedBytes: 10,
      })
      expect(fs.readdirSync(folder)).toEqual([])
    })
  })

  it('gives its reserve up when the disk is too full even for a lease', async () => {
    await withStore(async () => {})
    const descriptor = await withStore((store) => put(store, randomBytes(10)))
    const files = openFaultFiles(locks)
    const writeNow: typeof files.writeNow = (file, bytes, position) => {
      if (fs.existsSync(path.join(root, 'reserve'))) {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      }
      files.writeNow(file, bytes, position)
    }
    const store = await openStore({ root, files: { ...files, writeNow } })
    await expect(store.has(descriptor)).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect((await store.collectGarbage({ minAgeMs: 0 })).deleted).toHaveLength(1)
    await store[Symbol.asyncDispose]()
  })
})

async function withStore<T>(use: (store: Store) => Promise<T>, now?: () => Date): Promise<T> {
  await using store = await open(now)
  return await use(store)
}

async function put(store: Store, bytes: Uint8Array): Promise<Descriptor> {
  const descriptor = descriptorOf(bytes)
  await store.write(descriptor, async (start) => one(bytes.subarray(start)))
  return descriptor
}

function descriptorOf(bytes: Uint8Array): Descriptor {
  return { mediaType: mediaTypes.ociEmpty, digest: digestOf(bytes), size: bytes.byteLength }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function blobs(): Promise<number> {
  return fs.readdirSync(path.join(root, 'blobs/sha256')).length
}
