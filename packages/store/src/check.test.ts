import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { KatmanError } from '@katman/oci'
import { copyContent, type MemoryPlace } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFaultFiles } from '../test/fault-files.ts'
import {
  type CheckOptions,
  checkStore,
  loadImages,
  openStore,
  type Problem,
  type Store,
} from './index.ts'
import {
  addReferrer,
  makeTestFolder,
  openTestPlace,
  pullTestImage,
  tarOf,
} from '../test/test-image.ts'

let root: string
let place: MemoryPlace
const locks = new Map<string, number>()
beforeEach(async () => {
  root = makeTestFolder()
  place = await openTestPlace('checked', [tarOf('etc/hello', 'hello\n')])
  const signature = addReferrer(place, await place.resolve('latest'), 'signature')
  await withStore(async (store) => {
    await pullTestImage(store, place, 'app:latest')
    await copyContent(place, store, signature)
  })
  await leaveLeaseAndIngest()
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

/** Every kind of file, and what finds one of it. */
const kinds: readonly {
  readonly kind: Problem['kind']
  readonly name: string
  readonly find: () => string
}[] = [
  { kind: 'version', name: 'version file', find: () => path.join(root, 'version') },
  { kind: 'reference', name: 'name', find: () => only('refs') },
  { kind: 'image', name: 'image record', find: () => only('images') },
  { kind: 'blob', name: 'manifest', find: () => blobWith('"layers"') },
  { kind: 'blob', name: 'config', find: () => blobWith('"rootfs"') },
  { kind: 'blob', name: 'layer blob', find: () => blobWith('hello\n') },
  { kind: 'layer', name: 'layer index', find: () => path.join(only('layers'), 'index') },
  { kind: 'layer', name: 'layer record', find: () => path.join(only('layers'), 'record') },
  { kind: 'layer', name: 'origin of a layer', find: () => only('layers', '*', 'from.') },
  { kind: 'referrer', name: 'fact of a referrer', find: () => only('referrers', '*', 'sha') },
  { kind: 'blob', name: 'manifest of a referrer', find: () => blobWith('"subject"') },
  { kind: 'blob', name: 'file of a referrer', find: () => blobWith('signature') },
  { kind: 'ingest', name: 'state of a download', find: () => path.join(only('ingest'), 'state') },
  { kind: 'lease', name: 'lease', find: () => only('leases') },
]

const damages = {
  'a flipped byte': (file: string) => {
    const bytes = fs.readFileSync(file)
    const middle = Math.floor(bytes.byteLength / 3)
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    fs.writeFileSync(file, bytes)
  },
  'a cut': (file: string) => fs.truncateSync(file, fs.statSync(file).size - 3),
  'no content': (file: string) => fs.truncateSync(file, 0),
  loss: (file: string) => fs.rmSync(file),
}

describe('checkStore', () => {
  it('finds nothing in a sound store', async () => {
    await withStore(async (store) => {
      const seen: string[] = []
      const { problems, checked } = await checkStore(store, {
        level: 'hash',
        onEvent: (event) => event.type === 'checking' && seen.push(event.path),
      })
      expect(problems).toEqual([])
      expect(checked).toBeGreaterThan(9)
      expect(seen).toHaveLength(checked)
    })
  })

  describe.each(kinds)('$name', ({ kind, find }) => {
    it('finds and heals a flipped byte', async () => {
      damages['a flipped byte'](find())
      const found = await check({ level: 'hash' })
      expect(found).toMatchObject([{ kind, repaired: false }])
      await expectHealed()
      expect(await imageWorks()).toBe(true)
    })
  })

  // An empty or cut record cannot tell what it was: then the damage is said, once, and put aside.
  it.each(
    kinds
      .filter(({ kind }) => kind !== 'ingest' && kind !== 'lease')
      .flatMap((file) => (['a cut', 'no content', 'loss'] as const).map((how) => ({ file, how }))),
  )('finds $how ($file.name)', async ({ file, how }) => {
    // A lost name is no name, a lost fact no referrer, and a lost version file no store.
    if (how === 'loss' && ['reference', 'referrer', 'version'].includes(file.kind)) return
    damages[how](file.find())
    const found = await check({ level: 'quick' })
    expect(found.map(({ kind }) => kind)).toContain(file.kind)
    await check({ level: 'hash', repair: { fetch } })
    expect(await check({ level: 'hash' })).toEqual([])
    if (file.kind !== 'reference') expect(await imageWorks()).toBe(true)
  })

  it('heals content from the first place that has it', async () => {
    damages.loss(blobWith('hello\n'))
    const asked: string[] = []
    const problems = await check({
      repair: {
        fetch: async (descriptor, from) => {
          asked.push(from)
          return fetch(descriptor)
        },
      },
    })
    expect(problems).toMatchObject([{ kind: 'blob', problem: 'is missing', repaired: true }])
    expect(asked).toEqual(['docker.io/library/app'])
    expect(await check()).toEqual([])
  })

  it('puts aside what it cannot fetch, and keeps saying so', async () => {
    damages['a flipped byte'](blobWith('hello\n'))
    const unavailable = async (): Promise<never> => {
      throw new KatmanError('BLOB_UNKNOWN', 'gone')
    }
    const repaired = await check({ level: 'hash', repair: { fetch: unavailable } })
    expect(repaired).toMatchObject([{ kind: 'blob', repaired: false }])
    expect(await check()).toMatchObject([{ kind: 'blob', problem: 'is missing', repaired: false }])
    expect(fs.readdirSync(path.join(root, 'quarantine'))).toHaveLength(1)
  })

  it('refuses wrong bytes as repair', async () => {
    damages.loss(blobWith('hello\n'))
    const wrong = async () => bytesOf(Buffer.alloc(2048))
    expect(await check({ repair: { fetch: wrong } })).toMatchObject([{ repaired: false }])
  })

  it('drops damaged content that nothing needs', async () => {
    await withStore(async (store) => {
      const descriptor = place.add('x', gzipSync('unneeded'))
      await store.write(descriptor, async () => place.open(descriptor))
      damages['a flipped byte'](path.join(root, 'blobs', descriptor.digest.replace(':', '/')))
    })
    expect(await check({ level: 'hash', repair: {} })).toMatchObject([{ repaired: true }])
    expect(await check({ level: 'hash' })).toEqual([])
  })

  it('heals an image whose record and config are lost', async () => {
    fs.rmSync(only('images'))
    damages.loss(blobWith('"rootfs"'))
    await expectHealed()
    expect(await imageWorks()).toBe(true)
    await withStore(async (store) => {
      expect(await loadImages(store)).toMatchObject([{ record: { platform: { os: 'linux' } } }])
    })
  })

  it('leaves lists that work when neither can be had', async () => {
    fs.rmSync(only('images'))
    damages.loss(blobWith('"rootfs"'))
    const problems = await check({ level: 'hash', repair: {} })
    expect(problems.map(({ repaired }) => repaired)).not.toContain(true)
    await withStore(async (store) => {
      expect(await loadImages(store)).toEqual([])
      await store.collectGarbage({ minAgeMs: 0 })
      await pullTestImage(store, place, 'app:latest')
    })
    expect(await check({ level: 'hash' })).toEqual([])
  })

  it('lists an image that cannot be read', async () => {
    await withStore(async (store) => {
      const [image] = await store.images()
      if (image === undefined) throw new Error('no image')
      const { summary: _, ...older } = image
      await store.putImage(older)
      damages.loss(blobWith('"rootfs"'))
      expect(await loadImages(store)).toMatchObject([{ sizeBytes: 0 }])
    })
  })

  it('finds a missing folder and strange files', async () => {
    fs.rmdirSync(path.join(root, 'trash'))
    fs.writeFileSync(path.join(root, 'blobs/sha256/stranger'), 'x')
    expect((await check()).map(({ kind }) => kind)).toEqual(['folder', 'blob'])
    await expectHealed()
  })
})

async function check(options?: CheckOptions): Promise<readonly Problem[]> {
  return withStore(async (store) => (await checkStore(store, options)).problems)
}

async function expectHealed(): Promise<void> {
  const problems = await check({ level: 'hash', repair: { fetch } })
  expect(problems.length).toBeGreaterThan(0)
  expect(problems.filter(({ repaired }) => !repaired)).toEqual([])
  expect(await check({ level: 'hash' })).toEqual([])
}

async function imageWorks(): Promise<boolean> {
  return withStore(async (store) => {
    const { movedBlobs } = await pullTestImage(store, place, 'app:latest')
    return movedBlobs === 0 && (await store.references()).length === 2
  })
}

async function fetch(descriptor: Parameters<MemoryPlace['open']>[0]) {
  return place.open(descriptor)
}

async function withStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await openStore({ root, files: openFaultFiles(locks) })
  return await use(store)
}

/** What a killed process leaves. */
async function leaveLeaseAndIngest(): Promise<void> {
  const files = openFaultFiles(locks)
  const store = await openStore({ root, files })
  const descriptor = place.add('x', Buffer.alloc(100_000, 'unfinished'))
  const bytes = Buffer.alloc(50_000, 'unfinished')
  await store.write(descriptor, async () => bytesOf(bytes)).catch(() => {})
  files.die()
}

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** The first file of a folder, `*` meaning the first of a level, or the one that begins with a word. */
function only(folder: string, ...inside: readonly string[]): string {
  let file = path.join(root, folder)
  for (const word of ['*', ...inside.slice(1)]) {
    const name = fs.readdirSync(file).find((item) => word === '*' || item.startsWith(word))
    if (name === undefined) throw new Error(`nothing in ${file}`)
    file = path.join(file, name)
  }
  return file
}

function blobWith(text: string): string {
  const folder = path.join(root, 'blobs/sha256')
  const name = fs
    .readdirSync(folder)
    .find((item) => fs.readFileSync(path.join(folder, item)).includes(text))
  if (name === undefined) throw new Error(`no blob with ${text}`)
  return path.join(folder, name)
}
