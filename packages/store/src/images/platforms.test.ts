import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Descriptor, parsePlatform } from '@katman/oci'
import { type MadeImage, openWorkshop, type Workshop } from '../../test/made-images.ts'
import {
  checkStore,
  findPlatformImage,
  listImages,
  loadImages,
  pruneImages,
  type Removal,
  removeImage,
  removePlatforms,
} from '../index.ts'

let shop: Workshop
let amd: MadeImage
let arm: MadeImage
let riscv: MadeImage
/** amd64 and arm64; amd64 and riscv64. */
let first: Descriptor
let second: Descriptor

beforeEach(async () => {
  shop = await openWorkshop()
  amd = shop.add({ layers: ['base', 'amd'] })
  arm = shop.add({ architecture: 'arm64', layers: ['base', 'arm'] })
  riscv = shop.add({ architecture: 'riscv64', layers: ['riscv'] })
  const entry = ({ manifest }: MadeImage, architecture: string): Descriptor => ({
    ...manifest,
    platform: { os: 'linux', architecture },
  })
  first = shop.addIndex([entry(amd, 'amd64'), entry(arm, 'arm64')])
  second = shop.addIndex([entry(amd, 'amd64'), entry(riscv, 'riscv64')])
})
afterEach(() => shop[Symbol.asyncDispose]())

const platform = (text: string) => parsePlatform(text)
const pullAll = (name: string, index: Descriptor) =>
  shop.pull(name, index, { platform: 'all', shown: platform('linux/amd64') })
const find = async (text: string, wanted: string, orLower = false) =>
  findPlatformImage(shop.store, await loadImages(shop.store), text, {
    platform: platform(wanted),
    orLower,
  })
const present = async (): Promise<readonly string[]> =>
  (await loadImages(shop.store)).map(({ record }) => record.platform.architecture).toSorted()
const lines = (removal: Removal): readonly string[] =>
  removal.lines.map((line) => (line.kind === 'untagged' ? `- ${line.name}` : `x ${line.digest}`))
/** Frees what a removal left, with a handle of its own, and checks that the store is whole. */
const collect = async (removal: Removal): Promise<void> => {
  await using store = await shop.reopen()
  await store.collectGarbage({ minAgeMs: 0, without: removal.forgotten })
  expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
}
const isHere = async ({ manifest }: MadeImage): Promise<boolean> => {
  await using store = await shop.reopen()
  return await store.has(manifest)
}

describe('findPlatformImage', () => {
  it('finds each platform of a name, with the names', async () => {
    await pullAll('app:1', first)
    const found = await find('app:1', 'linux/arm64')
    expect(found.id).toBe(arm.id)
    expect(found.tags.map(({ familiar }) => familiar)).toEqual(['app:1'])
    expect(found.digests.map(({ familiar }) => familiar)).toEqual([`app@${first.digest}`])
    expect((await find('app:1', 'linux/amd64/v1')).id).toBe(amd.id)
  })

  it('says in the words of docker what is missing', async () => {
    await shop.pull('app:1', first)
    await expect(find('app:1', 'linux/arm64/v8')).rejects.toMatchObject({
      code: 'PLATFORM_UNKNOWN',
      message:
        'image with reference app:1 was found but does not provide the specified platform (linux/arm64/v8)',
    })
    await expect(find('nope', 'linux/arm64')).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN' })
  })

  it('takes a lower one only where docker does', async () => {
    await shop.pull('app:1', first)
    await expect(find('app:1', 'linux/amd64/v3')).rejects.toMatchObject({
      code: 'PLATFORM_UNKNOWN',
    })
    expect((await find('app:1', 'linux/amd64/v3', true)).id).toBe(amd.id)
  })

  it('takes the digest of an index, or its beginning, for all its platforms', async () => {
    await pullAll('app:1', first)
    expect((await find(first.digest, 'linux/arm64')).id).toBe(arm.id)
    expect((await find(first.digest.slice(7, 19), 'linux/amd64')).id).toBe(amd.id)
  })

  it('takes an id for one image of one platform', async () => {
    await pullAll('app:1', first)
    expect((await find(arm.id, 'linux/arm64')).id).toBe(arm.id)
    await expect(find(arm.id, 'linux/amd64')).rejects.toMatchObject({ code: 'PLATFORM_UNKNOWN' })
  })
})

describe('pullImage', () => {
  it('chooses a Windows by its build, a variant by what runs', async () => {
    const windows = ['10.0.17763.6189', '10.0.20348.2655', '10.0.26100.1'].map((version) =>
      shop.add({ layers: [version], config: { os: 'windows', 'os.version': version } }),
    )
    const versions = ['10.0.17763.6189', '10.0.20348.2655', '10.0.26100.1']
    const arms = ['v5', 'v6', 'v7'].map((variant) =>
      shop.add({ architecture: 'arm', layers: [variant], config: { variant } }),
    )
    const index = shop.addIndex([
      ...windows.map(({ manifest }, position) => ({
        ...manifest,
        platform: { os: 'windows', architecture: 'amd64', 'os.version': versions[position] },
      })),
      ...arms.map(({ manifest }, position) => ({
        ...manifest,
        platform: { os: 'linux', architecture: 'arm', variant: `v${position + 5}` },
      })),
    ])
    const pulled = async (wanted: string): Promise<string> => {
      const { images } = await shop.pull('app:win', index, { platform: platform(wanted) })
      const [id] = images.map((image) => image.id)
      const position = [...windows, ...arms].findIndex((image) => image.id === id)
      return [...versions, 'v5', 'v6', 'v7'][position] ?? ''
    }
    expect(await pulled('windows(10.0.17763)/amd64')).toBe('10.0.17763.6189')
    expect(await pulled('windows(10.0.20348)/amd64')).toBe('10.0.20348.2655')
    expect(await pulled('windows(10.0.26100)/amd64')).toBe('10.0.26100.1')
    expect(await pulled('windows(10.0.22621)/amd64')).toBe('10.0.20348.2655')
    expect(await pulled('windows/amd64')).toBe('10.0.17763.6189')
    await expect(pulled('windows(10.0.14393)/amd64')).rejects.toMatchObject({
      code: 'PLATFORM_UNKNOWN',
      hint: expect.stringContaining('windows(10.0.26100.1)/amd64') as string,
    })
    expect(await pulled('linux/arm/v6')).toBe('v6')
    expect(await pulled('linux/arm')).toBe('v7')
    expect(await pulled('linux/arm64')).toBe('v7')
    expect((await find('app:win', 'windows(10.0.20348.9)/amd64')).id).toBe(windows[1]?.id)
  })
})

describe('removePlatforms', () => {
  it('wants force, with the words of docker', async () => {
    await pullAll('app:1', first)
    await expect(
      removePlatforms(shop.store, 'app:1', [platform('linux/arm64')]),
    ).rejects.toMatchObject({
      code: 'IMAGE_CONFLICT',
      message:
        'Content will be removed from all images referencing this variant. Use —-force to force delete.',
    })
  })

  it('removes one platform and frees what only it had', async () => {
    await pullAll('app:1', first)
    const removal = await removePlatforms(shop.store, 'app:1', [platform('linux/arm64')], {
      force: true,
    })
    expect(lines(removal)).toEqual([`x ${arm.manifest.digest}`])
    await shop.release()
    await collect(removal)
    expect(await present()).toEqual(['amd64'])
    expect([await isHere(amd), await isHere(arm)]).toEqual([true, false])
    await expect(find('app:1', 'linux/arm64')).rejects.toMatchObject({ code: 'PLATFORM_UNKNOWN' })
    await pullAll('app:1', first)
    expect((await find('app:1', 'linux/arm64')).id).toBe(arm.id)
  })

  it('lets the names show another platform when theirs goes, and go with the last', async () => {
    await pullAll('app:1', first)
    const one = await removePlatforms(shop.store, 'app:1', [platform('linux/amd64')], {
      force: true,
    })
    await shop.release()
    await collect(one)
    const [row, ...more] = await listImages(await loadImages(shop.store))
    expect(more).toEqual([])
    expect(row).toMatchObject({ repository: 'app', tag: '1', image: { id: arm.id } })
    const last = await removePlatforms(shop.store, 'app:1', [platform('linux/arm64')], {
      force: true,
    })
    expect(lines(last)).toEqual([`- app:1`, `- app@${first.digest}`, `x ${arm.manifest.digest}`])
    expect(await present()).toEqual([])
  })

  it('removes it from every name, and nothing when one of several is missing', async () => {
    await pullAll('app:1', first)
    await pullAll('other:2', second)
    const both = [platform('linux/riscv64'), platform('linux/s390x')]
    await expect(
      removePlatforms(shop.store, 'other:2', both, { force: true }),
    ).rejects.toMatchObject({
      message: `failed to delete platform linux/s390x for image ${second.digest}: image with reference other:2 was found but does not provide the specified platform (linux/s390x)`,
    })
    expect(await present()).toEqual(['amd64', 'arm64', 'riscv64'])
    const removal = await removePlatforms(shop.store, 'app:1', [platform('linux/amd64')], {
      force: true,
    })
    await shop.release()
    await collect(removal)
    expect(await isHere(amd)).toBe(false)
    const rows = await listImages(await loadImages(shop.store))
    const shown = new Map(rows.map((row) => [row.repository, row.image.id]))
    expect([shown.get('app'), shown.get('other')]).toEqual([arm.id, riscv.id])
  })

  it('frees what a killed removal or pull has left', async () => {
    await pullAll('app:1', first)
    await shop.store.removeImage(arm.id)
    await shop.release()
    await collect({ lines: [], forgotten: [], sizeBytes: 0 })
    expect(await isHere(arm)).toBe(true)
    const removal = await removePlatforms(shop.store, 'app:1', [platform('linux/arm64')], {
      force: true,
    })
    expect(lines(removal)).toEqual([`x ${arm.manifest.digest}`])
    await shop.release()
    await collect(removal)
    expect([await isHere(amd), await isHere(arm)]).toEqual([true, false])
  })

  it('keeps what another process holds', async () => {
    await pullAll('app:1', first)
    await using other = await shop.reopen()
    expect(await other.has(arm.manifest)).toBe(true)
    const removal = await removePlatforms(shop.store, 'app:1', [platform('linux/arm64')], {
      force: true,
    })
    await shop.release()
    await collect(removal)
    expect(await isHere(arm)).toBe(true)
  })
})

describe('removing by name or id, when two names share a platform', () => {
  it('keeps every platform that the other name leads to', async () => {
    await pullAll('app:1', first)
    await pullAll('other:2', second)
    const removal = await removeImage(shop.store, 'other:2')
    await shop.release()
    await collect(removal)
    expect(await present()).toEqual(['amd64', 'arm64'])
    expect([await isHere(amd), await isHere(arm), await isHere(riscv)]).toEqual([true, true, false])
  })

  it('keeps an image that another name leads to without showing it', async () => {
    await shop.pull('app:1', first, { platform: platform('linux/amd64') })
    await shop.pull('other:2', second, {
      platform: 'all',
      shown: platform('linux/riscv64'),
    })
    const removal = await removeImage(shop.store, 'app:1')
    expect(lines(removal)).toEqual(['- app:1', `- app@${first.digest}`])
    expect((await find('other:2', 'linux/amd64')).id).toBe(amd.id)
    const pruned = await pruneImages(shop.store, { all: false, parseTime: Date.parse })
    expect(pruned.lines).toEqual([])
    const rows = await listImages(await loadImages(shop.store))
    expect(rows.map(({ repository }) => repository)).toEqual(['other'])
  })

  it('by the id of a platform that no name shows frees its content', async () => {
    await pullAll('app:1', first)
    const removal = await removeImage(shop.store, arm.id)
    expect(lines(removal)[0]).toBe(`x ${arm.id}`)
    await shop.release()
    await collect(removal)
    expect([await isHere(amd), await isHere(arm)]).toEqual([true, false])
    expect((await find('app:1', 'linux/amd64')).id).toBe(amd.id)
  })

  it('by the digest of an index removes it with all its platforms', async () => {
    await pullAll('app:1', first)
    await removeImage(shop.store, first.digest)
    expect(await present()).toEqual([])
  })

  it('by id wants force when several names lead to it', async () => {
    await pullAll('app:1', first)
    await pullAll('other:2', second)
    await removeImage(shop.store, riscv.id)
    await expect(removeImage(shop.store, amd.id)).rejects.toMatchObject({ code: 'IMAGE_CONFLICT' })
    await removeImage(shop.store, 'other:2')
    const { lines: all } = await removeImage(shop.store, amd.id)
    expect(all[0]).toEqual({ kind: 'untagged', name: 'app:1' })
    expect(await present()).toEqual([])
  })
})
