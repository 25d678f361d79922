import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { KatmanError, mediaTypes, parseReference } from '@katman/oci'
import { copyContent, type MemoryPlace } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Fault, type FaultFiles, openFaultFiles } from '../test/fault-files.ts'
import { openStore, pullImage, removePlatforms, type Store } from './index.ts'
import { encodeRecord } from './record-file.ts'
import {
  addImage,
  addReferrer,
  makeTestFolder,
  openTestPlace,
  pullTestImage,
  tarOf,
} from '../test/test-image.ts'

// Every operation is run again and again while call 1, 2, 3, … on the files fails, until it has no more
// calls to fail. After each, the store is opened as by the next command.

const faults: readonly Fault[] = ['EIO', 'ENOSPC', 'crash']
const tar = tarOf('etc/hello', 'hello\n')
let folder: string
let root: string
let locks: Map<string, number>
beforeEach(() => {
  folder = makeTestFolder()
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

describe.each(faults)('with %s at any call', (kind) => {
  it('opening makes a store or leaves what the next one finishes', async () => {
    await atEveryCall(kind, {
      prepare: async () => fs.rmSync(root, { recursive: true }),
      act: async () => {},
      verify: async (store) => expect(await store.images()).toEqual([]),
    })
  })

  it('writing a layer leaves the whole or nothing', async () => {
    const place = await openTestPlace('written', [tar])
    const descriptor = place.add('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar))
    const options = { diffID: descriptorOfTar(place) }
    const write = (store: Store): Promise<void> =>
      store.write(descriptor, (start) => place.open(descriptor, { start }), options)
    await atEveryCall(kind, {
      act: write,
      verify: async (store) => {
        await write(store)
        expect(await store.has(descriptor, options)).toBe(true)
        expect((await store.readLayerIndex(options.diffID)).entries.length).toBeGreaterThan(0)
      },
    })
  })

  it('writing a referrer leaves one that is listed, or what the next write finishes', async () => {
    const place = await openTestPlace('signed')
    const subject = await place.resolve('latest')
    const signature = addReferrer(place, subject, 'signature')
    const write = (store: Store): Promise<unknown> => copyContent(place, store, signature)
    await atEveryCall(kind, {
      prepare: (store) => pullTestImage(store, place, 'app:latest'),
      act: write,
      verify: async (store) => {
        await write(store)
        expect(await store.referrers(subject)).toHaveLength(1)
      },
    })
  })

  it('opening a store of an older layout makes it a new one, now or the next time', async () => {
    const place = await openTestPlace('old')
    await atEveryCall(kind, {
      prepare: async (store) => {
        await pullTestImage(store, place, 'app:latest')
        fs.rmSync(path.join(root, 'referrers'), { recursive: true })
        fs.writeFileSync(path.join(root, 'version'), encodeRecord({ katmanStore: 1 }))
      },
      act: async () => {},
      verify: async (store) => {
        expect(await store.images()).toHaveLength(1)
        expect(fs.existsSync(path.join(root, 'referrers'))).toBe(true)
        expect(fs.readFileSync(path.join(root, 'version'), 'utf8')).toContain('Store":2}')
      },
    })
  })

  it.runIf(kind === 'crash')('pulling leaves names of whole images only', async () => {
    const place = await openTestPlace('pulled', [tar])
    await atEveryCall(kind, {
      act: (store) => pullTestImage(store, place, 'app:latest'),
      verify: async (store) => {
        await store.collectGarbage()
        await pullTestImage(store, place, 'app:latest')
        expect(await store.references()).toHaveLength(2)
        expect(await store.images()).toHaveLength(1)
      },
    })
  })

  it('moving a name leaves the old meaning or the new one', async () => {
    const place = await openTestPlace('old', [tar])
    await place.tag('new', addImage(place, 'new', [tar]))
    await atEveryCall(kind, {
      prepare: async (store) => {
        await pullTestImage(store, place, 'app:latest')
        await pullTestImage(store, place, 'app:new')
      },
      act: async (store) => {
        const to = (await store.references()).find((record) => record.name.endsWith(':new'))
        if (to === undefined) throw new Error('not pulled')
        await store.setReference({ ...to, name: 'docker.io/library/app:latest' })
      },
      verify: async (store) => {
        const target = await store.resolve('docker.io/library/app:latest')
        expect([
          (await place.resolve('latest')).digest,
          (await place.resolve('new')).digest,
        ]).toContain(target.digest)
      },
    })
  })

  it('removing a platform leaves names of whole images, and what the next removal finishes', async () => {
    const place = await openTestPlace('other', [tar])
    const [shown, other] = ['shown', 'other'].map((text) => ({
      ...addImage(place, text, [tar]),
      platform: {
        os: 'linux',
        architecture: 'amd64',
        ...(text === 'shown' ? {} : { variant: 'v2' }),
      },
    }))
    const manifests = [shown, other]
    const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }
    await place.tag('both', place.add(mediaTypes.ociIndex, Buffer.from(JSON.stringify(document))))
    const remove = async (store: Store): Promise<void> => {
      const [image] = await store.images()
      if (image === undefined) throw new Error('not pulled')
      await removePlatforms(store, 'app:both', [image.platform], { force: true })
    }
    const expectNames = async (store: Store): Promise<void> => {
      const images = new Set((await store.images()).map(({ id }) => id))
      const names = await store.references()
      expect(names.filter(({ image }) => !images.has(image))).toEqual([])
      expect(names).toHaveLength(images.size === 0 ? 0 : 2)
    }
    await atEveryCall(kind, {
      prepare: (store) => pullImage(store, place, parseReference('app:both'), { platform: 'all' }),
      act: remove,
      verify: async (store) => {
        await expectNames(store)
        while ((await store.images()).length > 0) await remove(store)
        await expectNames(store)
        await pullImage(store, place, parseReference('app:both'), { platform: 'all' })
      },
    })
  })

  it('collecting loses nothing that is needed', async () => {
    const place = await openTestPlace('needed', [tar])
    const subject = await place.resolve('latest')
    const signature = addReferrer(place, subject, 'signature')
    const stray = addReferrer(place, addImage(place, 'elsewhere'), 'stray')
    const garbage = tarOf('garbage', 'garbage')
    await place.tag('garbage', addImage(place, 'garbage', [garbage]))
    await atEveryCall(kind, {
      prepare: async (store) => {
        await pullTestImage(store, place, 'app:latest')
        const { images } = await pullTestImage(store, place, 'app:garbage')
        for (const { name, image } of await store.references()) {
          if (image === images[0]?.id) await store.removeReference(name)
        }
        for (const { id } of images) await store.removeImage(id)
        await copyContent(place, store, signature)
        await copyContent(place, store, stray)
      },
      act: (store) => store.collectGarbage({ minAgeMs: 0 }),
      verify: async (store) => {
        await store.collectGarbage({ minAgeMs: 0 })
        expect(fs.readdirSync(path.join(root, 'blobs/sha256'))).toHaveLength(3 + 3)
        expect(fs.readdirSync(path.join(root, 'referrers'))).toHaveLength(1)
        expect(await store.referrers(subject)).toHaveLength(1)
        expect(fs.readdirSync(path.join(root, 'layers'))).toHaveLength(1)
        expect(fs.readdirSync(path.join(root, 'trash'))).toEqual([])
        expect(fs.readdirSync(path.join(root, 'tmp'))).toHaveLength(1)
        const { movedBlobs } = await pullTestImage(store, place, 'app:latest')
        expect(movedBlobs).toBe(0)
      },
    })
  })
})

interface Scenario {
  readonly prepare?: (store: Store) => Promise<unknown>
  readonly act: (store: Store) => Promise<unknown>
  /** Runs with sound files on what the fault left. */
  readonly verify: (store: Store) => Promise<unknown>
}

async function atEveryCall(kind: Fault, scenario: Scenario): Promise<void> {
  const template = path.join(folder, 'template')
  root = template
  locks = new Map()
  const store = await open(openFaultFiles(locks))
  await scenario.prepare?.(store)
  if (fs.existsSync(root)) await store[Symbol.asyncDispose]()
  for (let at = 1; ; at++) {
    root = path.join(folder, `run-${at}`)
    if (fs.existsSync(template)) {
      fs.cpSync(template, root, { recursive: true })
      fs.chmodSync(root, 0o700)
    }
    const files = openFaultFiles(locks, { kind, at })
    const error = await actOnce(files, kind, scenario)
    if (error !== undefined && kind !== 'crash') {
      expect(error, `call ${at}`).toBeInstanceOf(KatmanError)
    }
    await verifyAfter(at, scenario)
    fs.rmSync(root, { recursive: true, force: true })
    if (!files.hasFailed()) return
  }
}

/** Runs the operation in a handle whose files fail; returns what it threw. */
async function actOnce(files: FaultFiles, kind: Fault, scenario: Scenario): Promise<unknown> {
  let store: Store | undefined
  try {
    store = await open(files)
    await scenario.act(store)
    if (kind !== 'crash') await store[Symbol.asyncDispose]()
    return undefined
  } catch (error) {
    if (kind !== 'crash') await close(store)
    return error
  } finally {
    files.die()
  }
}

/** Closing may fail too; what it could not clean up is reaped. */
async function close(store: Store | undefined): Promise<void> {
  try {
    await store?.[Symbol.asyncDispose]()
  } catch (error) {
    expect(error).toBeInstanceOf(KatmanError)
  }
}

async function verifyAfter(at: number, scenario: Scenario): Promise<void> {
  const store = await open(openFaultFiles(locks))
  try {
    const { problems } = await store.check({ level: 'hash' })
    expect(problems, `after a fault at call ${at}`).toEqual([])
    await scenario.verify(store)
    expect((await store.check({ level: 'hash' })).problems).toEqual([])
  } catch (error) {
    throw new Error(`after a fault at call ${at}`, { cause: error })
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

function open(files: FaultFiles): Promise<Store> {
  return openStore({ root, files, workers: 0 })
}

function descriptorOfTar(place: MemoryPlace) {
  return place.add('application/vnd.oci.image.layer.v1.tar', tar).digest
}
