import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MadeImage, openWorkshop, type Workshop } from '../../test/made-images.ts'
import {
  checkStore,
  expandPattern,
  findImage,
  imageHistory,
  imagesUsage,
  inspectImage,
  listImages,
  loadImages,
  pruneImages,
  type RemovalLine,
  removeImage,
  tagImage,
} from '../index.ts'
import { parseReference } from '@katman/oci'

let shop: Workshop
let app: MadeImage
let tool: MadeImage
beforeEach(async () => {
  shop = await openWorkshop()
  app = shop.add({
    created: '2026-03-01T00:00:00Z',
    labels: { team: 'red', tier: 'web' },
    layers: ['base', 'app'],
    history: [
      { created: '2026-01-01T00:00:00Z', created_by: 'COPY base /' },
      { created: '2026-02-01T00:00:00Z', created_by: 'ENV A=1', empty_layer: true },
      { created: '2026-03-01T00:00:00Z', created_by: 'COPY app /', comment: 'last' },
    ],
  })
  tool = shop.add({
    created: '2026-02-01T00:00:00Z',
    labels: { team: 'blue' },
    layers: ['base', 'tool!'],
  })
  await shop.pull('team/app:1', app.manifest)
  await shop.pull('tool', tool.manifest)
})
afterEach(() => shop[Symbol.asyncDispose]())

const images = () => loadImages(shop.store)
const find = async (text: string): Promise<string> => {
  const { image } = findImage(await images(), text)
  return image.id === app.id ? 'app' : 'tool'
}

describe('findImage', () => {
  it('finds by name, digest, id and the beginning of an id', async () => {
    expect(await find('team/app:1')).toBe('app')
    expect(await find('docker.io/team/app:1')).toBe('app')
    expect(await find('tool')).toBe('tool')
    expect(await find('tool:latest')).toBe('tool')
    expect(await find(`team/app@${app.manifest.digest}`)).toBe('app')
    expect(await find(`team/app:anything@${app.manifest.digest}`)).toBe('app')
    expect(await find(app.id)).toBe('app')
    expect(await find(app.id.slice('sha256:'.length))).toBe('app')
    expect(await find(app.id.slice(0, 'sha256:'.length + 12))).toBe('app')
    expect(await find(tool.id.slice('sha256:'.length, 'sha256:'.length + 4))).toBe('tool')
  })

  it.each([
    ['nope', 'No such image: nope:latest'],
    ['team/app', 'No such image: team/app:latest'],
    [`sha256:${'0'.repeat(64)}`, `No such image: sha256:${'0'.repeat(64)}`],
    ['0000', 'No such image: 0000:latest'],
  ])('says that there is no %s', async (text, message) => {
    await expect(find(text)).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN', message })
  })

  it('refuses what is no name', async () => {
    await expect(find('UPPER')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' })
    await expect(find('')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' })
  })
})

describe('listImages', () => {
  const list = async (...filters: string[]): Promise<readonly string[]> => {
    const rows = await listImages(await images(), {
      filters,
      parseTime: (text) => Date.parse(text),
    })
    return rows.map(({ repository, tag }) => `${repository}:${tag}`)
  }

  it('lists a row for each tag, newest first', async () => {
    await tagImage(shop.store, 'team/app:1', parseReference('other:x'))
    expect(await list()).toEqual(['other:x', 'team/app:1', 'tool:latest'])
  })

  it.each([
    [['label=team'], ['team/app:1', 'tool:latest']],
    [['label=team=red'], ['team/app:1']],
    [['label=team=red', 'label=tier=web'], ['team/app:1']],
    [['label=team=red', 'label=tier=db'], []],
    [['reference=*/*'], ['team/app:1']],
    [['reference=t*'], ['tool:latest']],
    [
      ['reference=team/app:*', 'reference=tool'],
      ['team/app:1', 'tool:latest'],
    ],
    [['before=team/app:1'], ['tool:latest']],
    [['since=tool'], ['team/app:1']],
    [['until=2026-02-15T00:00:00Z'], ['tool:latest']],
    [['dangling=true'], []],
    [['dangling=0'], ['team/app:1', 'tool:latest']],
  ])('%j keeps %j', async (filters, expected) => {
    expect(await list(...filters)).toEqual(expected)
  })

  it.each([
    ['colour=red', "Invalid filter 'colour'"],
    ['dangling=maybe', "Invalid filter 'dangling=[maybe]'"],
    ['before=nope', 'No such image: nope:latest'],
  ])('refuses %s', async (filter, message) => {
    await expect(list(filter)).rejects.toThrow(message)
  })

  it('shows an image whose tag has moved as <none>', async () => {
    const moved = shop.add({ layers: ['moved'] })
    await shop.pull('team/app:1', moved.manifest)
    expect(await list('dangling=true')).toEqual(['team/app:<none>'])
  })
})

describe('removeImage', () => {
  const say = (lines: readonly RemovalLine[]): readonly string[] =>
    lines.map((line) => (line.kind === 'untagged' ? `- ${line.name}` : line.kind))

  it('forgets one of several names, then removes the image with its own layers', async () => {
    await tagImage(shop.store, 'team/app:1', parseReference('other:x'))
    const first = await removeImage(shop.store, 'other:x')
    expect(say(first.lines)).toEqual(['- other:x'])
    const last = await removeImage(shop.store, 'team/app:1')
    // The image and its upper layer: the lower one is the tool's, too.
    expect(say(last.lines)).toEqual([
      '- team/app:1',
      `- team/app@${app.manifest.digest}`,
      'deleted',
      'deleted',
    ])
    expect(await find('tool')).toBe('tool')
    await expect(find('team/app:1')).rejects.toMatchObject({ code: 'IMAGE_UNKNOWN' })
    await shop.store.collectGarbage()
    expect((await checkStore(shop.store, { level: 'hash' })).problems).toEqual([])
  })

  it('by id wants force when the image has names in several repositories', async () => {
    await tagImage(shop.store, 'team/app:1', parseReference('other:x'))
    const id = app.id.slice('sha256:'.length, 'sha256:'.length + 12)
    await expect(removeImage(shop.store, id)).rejects.toMatchObject({
      code: 'IMAGE_CONFLICT',
      message: `conflict: unable to delete ${id} (must be forced) - image is referenced in multiple repositories`,
    })
    const { lines } = await removeImage(shop.store, id, { force: true })
    expect(say(lines)).toContain('- other:x')
    expect(await images()).toHaveLength(1)
  })

  it('leaves what containers use', async () => {
    const users = (): readonly { readonly id: string; readonly isRunning: boolean }[] => [
      { id: 'c0ffee'.repeat(10), isRunning: false },
    ]
    await expect(removeImage(shop.store, 'tool', { users })).rejects.toMatchObject({
      code: 'IMAGE_CONFLICT',
      message: expect.stringContaining(
        'container c0ffeec0ffee is using its referenced image',
      ) as string,
    })
    expect(await find('tool')).toBe('tool')
  })

  it('says with dryRun what it would do, and does nothing', async () => {
    const would = await removeImage(shop.store, 'tool', { dryRun: true })
    expect(say(would.lines)[0]).toBe('- tool:latest')
    expect(await find('tool')).toBe('tool')
    const done = await removeImage(shop.store, 'tool')
    expect(done.lines).toEqual(would.lines)
  })

  it('takes the names that a pattern means', async () => {
    await tagImage(shop.store, 'team/app:1', parseReference('team/app:old-1'))
    await tagImage(shop.store, 'team/app:1', parseReference('team/app:old-2'))
    expect(await expandPattern(shop.store, 'team/*:old-*')).toEqual([
      'team/app:old-1',
      'team/app:old-2',
    ])
    expect(await expandPattern(shop.store, 'tool')).toEqual(['tool'])
    expect(await expandPattern(shop.store, 'x*')).toEqual([])
  })
})

describe('pruneImages', () => {
  const prune = async (all: boolean, ...filters: string[]): Promise<number> => {
    const options = { all, filters, parseTime: (text: string) => Date.parse(text) }
    const { lines } = await pruneImages(shop.store, options)
    return lines.filter(({ kind }) => kind === 'untagged').length
  }

  it('removes what has no tag; with all, everything that fits', async () => {
    const moved = shop.add({ layers: ['moved'], created: '2026-03-01T00:00:00Z' })
    await shop.pull('team/app:1', moved.manifest)
    expect(await prune(false)).toBe(1)
    expect(await images()).toHaveLength(2)
    expect(await prune(true, 'label!=team')).toBe(2)
    expect((await images()).map(({ id }) => id)).toEqual([tool.id])
    expect(await prune(true, 'until=2026-01-15T00:00:00Z')).toBe(0)
    expect(await prune(true, 'label=team=blue')).toBe(2)
    expect(await images()).toEqual([])
  })

  it('refuses an unknown filter', async () => {
    await expect(prune(false, 'colour=red')).rejects.toMatchObject({ code: 'FILTER_INVALID' })
  })
})

describe('what an image is', () => {
  it('has its history, newest first, with 0 bytes where there is no layer', async () => {
    const [newest] = await images()
    if (newest === undefined) throw new Error('no image')
    const rows = await imageHistory(shop.store, newest)
    expect(
      rows.map(({ createdBy, sizeBytes, id, comment }) => [createdBy, sizeBytes, id, comment]),
    ).toEqual([
      ['COPY app /', 3, app.id, 'last'],
      ['ENV A=1', 0, undefined, ''],
      ['COPY base /', 4, undefined, ''],
    ])
  })

  it('has no history when its config has none', async () => {
    const second = (await images()).at(1)
    expect(second === undefined ? [] : await imageHistory(shop.store, second)).toEqual([])
  })

  it('is inspected as docker does', async () => {
    const [newest] = await images()
    if (newest === undefined) throw new Error('no image')
    expect(await inspectImage(newest)).toMatchObject({
      Id: app.id,
      RepoTags: ['team/app:1'],
      RepoDigests: [`team/app@${app.manifest.digest}`],
      Created: '2026-03-01T00:00:00Z',
      Architecture: 'amd64',
      Os: 'linux',
      Size: 7,
      RootFS: { Type: 'layers', Layers: app.diffIDs },
    })
  })

  it('takes up what it shares with none, and what all share once', async () => {
    const usage = await imagesUsage(shop.store, await images())
    expect(usage.totalBytes).toBe(4 + 3 + 5)
    expect(usage.images.map(({ sharedBytes, uniqueBytes }) => [sharedBytes, uniqueBytes])).toEqual([
      [4, 3],
      [4, 5],
    ])
  })

  it('gets a new name, and loses none', async () => {
    await tagImage(
      shop.store,
      tool.id,
      parseReference('new:1'),
      () => new Date('2026-05-06T07:08:09Z'),
    )
    const found = findImage(await images(), 'new:1').image
    expect(found.tags.map(({ familiar }) => familiar)).toEqual(['new:1', 'tool:latest'])
    expect(await inspectImage(found)).toMatchObject({
      Metadata: { LastTagTime: '2026-05-06T07:08:09.000Z' },
    })
    await expect(tagImage(shop.store, 'nope', parseReference('x'))).rejects.toMatchObject({
      code: 'IMAGE_UNKNOWN',
    })
    const byDigest = parseReference(`x@${tool.id}`)
    await expect(tagImage(shop.store, 'tool', byDigest)).rejects.toMatchObject({
      code: 'REFERENCE_INVALID',
    })
  })
})
