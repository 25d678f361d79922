import fs from 'node:fs'
import path from 'node:path'
import { cosignTag, type Descriptor, mediaTypes } from '@katman/oci'
import { copyContent, type MemoryPlace } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFaultFiles } from '../test/fault-files.ts'
import {
  addImage,
  addReferrer,
  makeTestFolder,
  openTestPlace,
  pullTestImage,
} from '../test/test-image.ts'
import { openStore, type Store } from './index.ts'
import { encodeRecord } from './record-file.ts'

let root: string
let place: MemoryPlace
let subject: Descriptor
const locks = new Map<string, number>()
beforeEach(async () => {
  root = makeTestFolder()
  place = await openTestPlace('signed')
  subject = await place.resolve('latest')
})
afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

const open = (): Promise<Store> => openStore({ root, files: openFaultFiles(locks), workers: 0 })

describe('Store.tag', () => {
  const tag = (): string => cosignTag(subject.digest, 'sig')

  it('keeps what is attached by a tag as long as its subject, and lists it as no referrer', async () => {
    const attached = addImage(place, 'attached')
    await withStore(async (store) => {
      await pullTestImage(store, place, 'app:latest')
      await copy(store, attached)
      await store.tag(tag(), attached)
    })
    await withStore(async (store) => {
      await store.collectGarbage({ minAgeMs: 0 })
      expect(await store.resolve(tag())).toMatchObject({ digest: attached.digest })
      expect(await store.has(attached)).toBe(true)
      expect(await store.referrers(subject)).toEqual([])
      expect((await store.check({ level: 'hash' })).problems).toEqual([])
    })
  })

  it('means the latest, also when that was known before', async () => {
    const [one, two] = [addImage(place, 'one'), addImage(place, 'two')]
    await withStore(async (store) => {
      await copy(store, one, two)
      for (const latest of [one, two, one]) {
        await store.tag(tag(), latest)
        expect(await store.resolve(tag())).toMatchObject({ digest: latest.digest })
      }
    })
  })

  it('lists content that is attached by a tag and names its subject, too', async () => {
    const signature = addReferrer(place, subject, 'signature')
    await withStore(async (store) => {
      await copy(store, signature)
      await store.tag(tag(), signature)
      expect((await store.referrers(subject)).map(({ digest }) => digest)).toEqual([
        signature.digest,
      ])
    })
  })

  it('refuses other tags, and what is not here', async () => {
    await withStore(async (store) => {
      await expect(store.tag('latest', subject)).rejects.toMatchObject({
        code: 'REFERENCE_INVALID',
      })
      await expect(store.tag(tag(), subject)).rejects.toMatchObject({ code: 'CONTENT_INCOMPLETE' })
    })
  })
})

describe('Store.referrers', () => {
  it('lists what was written with this subject, as a registry would', async () => {
    const signature = addReferrer(place, subject, 'signature')
    const sbom = addReferrer(place, subject, 'sbom', 'application/vnd.test.sbom')
    await withStore(async (store) => {
      expect(await store.referrers(subject)).toEqual([])
      await copy(store, signature, sbom)
      const found = await store.referrers(subject)
      expect(found).toEqual(
        [
          {
            ...signature,
            artifactType: 'application/vnd.test.signature',
            annotations: { text: 'signature' },
          },
          { ...sbom, artifactType: 'application/vnd.test.sbom', annotations: { text: 'sbom' } },
        ].toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
      )
      const artifactType = 'application/vnd.test.sbom'
      const filtered = await store.referrers(subject, { artifactType })
      expect(filtered.map(({ digest }) => digest)).toEqual([sbom.digest])
      expect(await store.referrers(signature)).toEqual([])
    })
  })

  it('takes the type of the config where a manifest names none, and lists an index', async () => {
    const config = place.add('application/vnd.test.config', Buffer.from('{}'))
    const add = (mediaType: string, fields: object): Descriptor => {
      const document = { schemaVersion: 2, mediaType, ...fields, subject }
      return place.add(mediaType, Buffer.from(JSON.stringify(document)))
    }
    const manifest = add(mediaTypes.ociManifest, { config, layers: [] })
    const index = add(mediaTypes.ociIndex, { manifests: [], artifactType: 'application/list' })
    await withStore(async (store) => {
      await copy(store, manifest, index)
      const found = await store.referrers(subject)
      expect(new Map(found.map((one) => [one.digest, one.artifactType]))).toEqual(
        new Map([
          [manifest.digest, 'application/vnd.test.config'],
          [index.digest, 'application/list'],
        ]),
      )
    })
  })

  it('does not list what only says it is a manifest', async () => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 1, subject }))
    const wrong = place.add(mediaTypes.ociManifest, bytes)
    await withStore(async (store) => {
      await store.write(wrong, () => place.open(wrong))
      expect(await store.has(wrong)).toBe(true)
      expect(await store.referrers(subject)).toEqual([])
    })
  })

  it('knows the referrers of a store that an earlier version wrote, once they are seen again', async () => {
    const signature = addReferrer(place, subject, 'signature')
    await withStore((store) => copy(store, signature))
    fs.rmSync(path.join(root, 'referrers'), { recursive: true })
    fs.writeFileSync(path.join(root, 'version'), encodeRecord({ katmanStore: 1 }))
    await withStore(async (store) => {
      expect((await store.check()).problems).toEqual([])
      expect(await store.has(signature)).toBe(true)
      expect(await store.referrers(subject)).toHaveLength(1)
    })
    expect(fs.readFileSync(path.join(root, 'version'), 'utf8')).toContain('{"katmanStore":2}')
  })
})

describe('Store.collectGarbage', () => {
  it('keeps referrers, and theirs, as long as the subject, and no longer', async () => {
    const signature = addReferrer(place, subject, 'signature')
    const countersignature = addReferrer(place, signature, 'countersignature')
    const stray = addReferrer(place, addImage(place, 'elsewhere'), 'stray')
    await withStore(async (store) => {
      await pullTestImage(store, place, 'app:latest')
      await copy(store, countersignature, signature, stray)
    })
    await withStore(async (store) => {
      const { deleted } = await store.collectGarbage({ minAgeMs: 0 })
      expect(deleted.map(({ digest }) => digest)).toContain(stray.digest)
      expect(await store.referrers(subject)).toHaveLength(1)
      expect(await store.referrers(signature)).toHaveLength(1)
      expect((await store.check({ level: 'hash' })).problems).toEqual([])
      await readWhole(store, signature)
      await readWhole(store, countersignature)
      await forgetAll(store)
    })
    await withStore(async (store) => {
      await store.collectGarbage({ minAgeMs: 0 })
      expect(await store.referrers(subject)).toEqual([])
      expect(fs.readdirSync(path.join(root, 'blobs/sha256'))).toEqual([])
      expect(fs.readdirSync(path.join(root, 'referrers'))).toEqual([])
      expect(fs.readdirSync(path.join(root, 'trash'))).toEqual([])
    })
  })

  it('keeps those of an index with it', async () => {
    const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [subject] }
    const index = place.add(mediaTypes.ociIndex, Buffer.from(JSON.stringify(document)))
    await place.tag('latest', index)
    const attestation = addReferrer(place, index, 'attestation')
    await withStore(async (store) => {
      await pullTestImage(store, place, 'app:latest')
      await copy(store, attestation)
    })
    await withStore(async (store) => {
      await store.collectGarbage({ minAgeMs: 0 })
      expect(await store.referrers(index)).toHaveLength(1)
      await readWhole(store, attestation)
    })
  })

  it('keeps referrers that came before their subject, as long as someone holds them', async () => {
    const signature = addReferrer(place, subject, 'signature')
    await withStore(async (holder) => {
      await copy(holder, signature)
      await withStore((store) => store.collectGarbage({ minAgeMs: 0 }))
      await pullTestImage(holder, place, 'app:latest')
    })
    await withStore(async (store) => {
      await store.collectGarbage({ minAgeMs: 0 })
      expect(await store.referrers(subject)).toHaveLength(1)
      await readWhole(store, signature)
    })
  })

  it('loses none that is written while it decides', async () => {
    const signature = addReferrer(place, subject, 'signature')
    for (let at = 1; ; at++) {
      // What a removed image left: the collection is about to take both away.
      await withStore(async (store) => {
        await copy(store, signature, subject)
      })
      const files = openFaultFiles(locks)
      const second = await open()
      let written: Promise<unknown> | undefined
      const counting = new Proxy(files, {
        get(target, key: keyof typeof files) {
          const call = target[key] as (...values: unknown[]) => unknown
          return (...values: unknown[]) => {
            const result = call(...values)
            if (files.calls() === at) {
              written ??= copy(second, signature).then(() =>
                pullTestImage(second, place, 'app:latest'),
              )
            }
            return result
          }
        },
      })
      const collecting = await openStore({ root, files: counting, workers: 0 })
      await collecting.collectGarbage({ minAgeMs: 0 })
      await collecting[Symbol.asyncDispose]()
      await written
      await second[Symbol.asyncDispose]()
      if (written === undefined) break
      await withStore(async (store) => {
        await store.collectGarbage({ minAgeMs: 0 })
        expect(await store.referrers(subject), `at call ${at}`).toHaveLength(1)
        await readWhole(store, signature)
        expect((await store.check({ level: 'hash' })).problems).toEqual([])
        await forgetAll(store)
      })
    }
  })

  it('refuses to guess when a fact is damaged', async () => {
    const signature = addReferrer(place, subject, 'signature')
    await withStore(async (store) => {
      await pullTestImage(store, place, 'app:latest')
      await copy(store, signature)
    })
    fs.truncateSync(factFile(), 10)
    await withStore(async (store) => {
      const collecting = store.collectGarbage({ minAgeMs: 0 })
      await expect(collecting).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    })
  })
})

async function withStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await open()
  return await use(store)
}

async function copy(store: Store, ...roots: readonly Descriptor[]): Promise<void> {
  for (const one of roots) await copyContent(place, store, one)
}

async function readWhole(store: Store, referrer: Descriptor): Promise<void> {
  await copyContent(store, await openTestPlace('elsewhere'), referrer)
}

async function forgetAll(store: Store): Promise<void> {
  for (const { name } of await store.references()) await store.removeReference(name)
  for (const { id } of await store.images()) await store.removeImage(id)
}

/** The file of the one fact there is. */
function factFile(): string {
  const [file = ''] = fs.globSync(path.join(root, 'referrers/*/*'))
  return file
}
