import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Descriptor, parsePlatform, parseReference } from '@katman/oci'
import { type MadeImage, openWorkshop, type Workshop } from '../../test/made-images.ts'
import {
  checkStore,
  loadImage,
  loadImages,
  pruneImages,
  pullImage,
  type Removal,
  removeImage,
  removePlatforms,
  type Store,
} from '../index.ts'

// A removal of another process at the worst moments of a pull: behind the record of an image, before its names.

let shop: Workshop
let amd: MadeImage
let arm: MadeImage
let index: Descriptor
beforeEach(async () => {
  shop = await openWorkshop()
  amd = shop.add()
  arm = shop.add({ architecture: 'arm64', layers: ['arm'] })
  index = shop.addIndex([
    { ...amd.manifest, platform: { os: 'linux', architecture: 'amd64' } },
    { ...arm.manifest, platform: { os: 'linux', architecture: 'arm64' } },
  ])
  await shop.place.tag('1', index)
})
afterEach(() => shop[Symbol.asyncDispose]())

/** A prune of another process that also frees what it can. */
async function prune(store: Store): Promise<void> {
  await pruneImages(store, { all: false, parseTime: Date.parse })
  await store.collectGarbage({ minAgeMs: 0 })
}

const pull = (store: Store) =>
  pullImage(store, shop.place, parseReference('app:1'), {
    platform: 'all',
    shown: parsePlatform('linux/amd64'),
  })

async function expectWhole(): Promise<void> {
  await shop.release()
  const images = await loadImages(shop.store)
  expect(images.map(({ id }) => id).toSorted()).toEqual([amd.id, arm.id].toSorted())
  expect(images.find(({ id }) => id === amd.id)?.tags.map(({ familiar }) => familiar)).toEqual([
    'app:1',
  ])
  await prune(shop.store)
  expect(await loadImages(shop.store)).toHaveLength(2)
  expect((await checkStore(shop.store, { level: 'hash' })).problems).toEqual([])
}

describe('a pull while another process prunes', () => {
  it('keeps every image when the prune comes before the first name', async () => {
    await using other = await shop.reopen()
    let pruned = 0
    await pull({
      ...shop.store,
      setReference: async (record) => {
        if (pruned++ === 0) await prune(other)
        return shop.store.setReference(record)
      },
    })
    expect(pruned).toBeGreaterThan(0)
    await expectWhole()
  })

  it('keeps every image when the prune has looked before the names, and removes after the pull', async () => {
    await using other = await shop.reopen()
    let removed = 0
    let pulled: Promise<unknown> | undefined
    const recorded = Promise.withResolvers<void>()
    const looked = Promise.withResolvers<void>()
    pulled = pull({
      ...shop.store,
      setReference: async (record) => {
        recorded.resolve()
        await looked.promise
        return shop.store.setReference(record)
      },
    })
    await recorded.promise
    await prune({
      ...other,
      removeImage: async (id) => {
        looked.resolve()
        await pulled
        removed++
        return other.removeImage(id)
      },
    })
    expect(removed).toBe(2)
    await expectWhole()
  })

  it('keeps an image that is loaded, too', async () => {
    await using other = await shop.reopen()
    const store: Store = {
      ...shop.store,
      setReference: async (record) => {
        await prune(other)
        return shop.store.setReference(record)
      },
    }
    await loadImage(store, shop.place, index, [parseReference('app:1')], {
      shown: parsePlatform('linux/amd64'),
    })
    await expectWhole()
  })
})

describe('a pull while another process removes one platform of another name', () => {
  const removals: readonly [string, (store: Store) => Promise<Removal>][] = [
    ['by its id', (store) => removeImage(store, arm.id, { force: true })],
    [
      'by its name',
      (store) => removePlatforms(store, 'app:1', [parsePlatform('linux/arm64')], { force: true }),
    ],
    [
      'that the name shows',
      (store) => removePlatforms(store, 'app:1', [parsePlatform('linux/amd64')], { force: true }),
    ],
  ]
  it.each(removals)('keeps what was pulled: %s', async (how, remove) => {
    const wanted = how === 'that the name shows' ? amd : arm
    await pull(shop.store)
    await shop.release()
    await shop.place.tag('2', wanted.manifest)
    await using remover = await shop.reopen()
    const removal = await remove({
      ...remover,
      removeImage: async (id) => {
        await using other = await shop.reopen()
        await pullImage(other, shop.place, parseReference('app:2'), { platform: 'all' })
        return await remover.removeImage(id)
      },
    })
    await shop.release()
    expect(removal.lines).not.toContainEqual(expect.objectContaining({ kind: 'deleted' }))
    await using collector = await shop.reopen()
    await collector.collectGarbage({ minAgeMs: 0, without: removal.forgotten })
    const images = await loadImages(shop.store)
    expect(images.map(({ id }) => id).toSorted()).toEqual([amd.id, arm.id].toSorted())
    expect(
      images.find(({ id }) => id === wanted.id)?.tags.map(({ familiar }) => familiar),
    ).toContain('app:2')
    expect((await checkStore(shop.store, { level: 'hash' })).problems).toEqual([])
  })

  it.each(removals)('removes it when nobody pulls: %s', async (how, remove) => {
    await pull(shop.store)
    await shop.release()
    await using remover = await shop.reopen()
    const removal = await remove(remover)
    expect(removal.forgotten).toHaveLength(1)
    const images = await loadImages(remover)
    expect(images.map(({ id }) => id)).toEqual([how === 'that the name shows' ? arm.id : amd.id])
  })
})

describe('loadImage', () => {
  it('gives no name with the digest of something else', async () => {
    const wrong = parseReference(`app@${amd.manifest.digest}`)
    await expect(loadImage(shop.store, shop.place, index, [wrong])).rejects.toMatchObject({
      code: 'REFERENCE_INVALID',
    })
    expect(await shop.store.references()).toEqual([])
    await loadImage(shop.store, shop.place, index, [parseReference(`app@${index.digest}`)])
    expect((await shop.store.references()).map(({ name }) => name)).toEqual([
      `docker.io/library/app@${index.digest}`,
    ])
    const [record] = await shop.store.references()
    if (record === undefined) throw new Error('no name')
    await expect(
      shop.store.setReference({ ...record, target: amd.manifest }),
    ).rejects.toMatchObject({ code: 'REFERENCE_INVALID' })
  })
})
