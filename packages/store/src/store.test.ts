import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Descriptor, KatmanError, mediaTypes, parseDigest } from '@katman/oci'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openNodeFiles, openStore, type Store } from './index.ts'
import { readVerified } from '@katman/transfer'
import { fileError } from '../test/fault-files.ts'

let folder: string
let root: string
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'katman-store-'))
  root = path.join(folder, 'store')
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

describe('openStore', () => {
  it('makes a private store in a missing folder, whatever the umask', async () => {
    const before = process.umask(0o000)
    try {
      for (const mask of [0o000, 0o077, 0o777]) {
        process.umask(mask)
        const at = path.join(folder, `deep-${mask}`, 'store')
        await using store = await openStore({ root: at })
        const { descriptor } = await putBytes(store, randomBytes(10))
        expect(fs.statSync(at).mode & 0o777).toBe(0o700)
        const blob = path.join(at, 'blobs', descriptor.digest.replace(':', '/'))
        expect(fs.statSync(blob).mode & 0o777).toBe(0o600)
      }
    } finally {
      process.umask(before)
    }
  })

  it('closes an empty folder of ours to others, and refuses a store that was opened up', async () => {
    fs.mkdirSync(root, { mode: 0o755 })
    await (await openStore({ root }))[Symbol.asyncDispose]()
    expect(fs.statSync(root).mode & 0o777).toBe(0o700)
    fs.chmodSync(root, 0o750)
    await expect(openStore({ root })).rejects.toMatchObject({ code: 'STORE_PERMISSIONS' })
  })

  it('refuses a folder that holds something else, or is none', async () => {
    fs.mkdirSync(root)
    fs.writeFileSync(path.join(root, 'notes.txt'), 'mine')
    await expect(openStore({ root })).rejects.toMatchObject({ code: 'STORE_INVALID' })
    const inFile = path.join(root, 'notes.txt', 'store')
    await expect(openStore({ root: inFile })).rejects.toMatchObject({ code: 'STORE_INVALID' })
    if (fs.existsSync('/proc')) {
      const inProc = openStore({ root: '/proc/katman/store' })
      await expect(inProc).rejects.toMatchObject({ code: 'STORE_INVALID' })
    }
  })

  it.skipIf(process.getuid?.() !== 0)('refuses a store of another user', async () => {
    fs.mkdirSync(root)
    fs.chownSync(root, 12345, 12345)
    await expect(openStore({ root })).rejects.toMatchObject({ code: 'STORE_NOT_OWNED' })
  })

  it('reads a store of a newer layout and does not write it', async () => {
    const bytes = randomBytes(10)
    const { descriptor } = await usingStore((store) => putBytes(store, bytes))
    const { encodeRecord } = await import('./record-file.ts')
    fs.writeFileSync(path.join(root, 'version'), encodeRecord({ katmanStore: 3 }))
    await usingStore(async (store) => {
      expect(await readVerified(store, descriptor)).toEqual(bytes)
      await expect(putBytes(store, randomBytes(5))).rejects.toMatchObject({
        code: 'STORE_READ_ONLY',
      })
    })
  })

  it('leaves nothing of itself when it is closed', async () => {
    await usingStore((store) => putBytes(store, randomBytes(200_000)))
    for (const name of ['leases', 'tmp', 'ingest', 'trash']) {
      expect(fs.readdirSync(path.join(root, name))).toEqual([])
    }
  })
})

describe('Store.write', () => {
  it.each([0, 1, 70_000, 3_000_000])(
    'keeps %i bytes and gives them back from any byte',
    async (size) => {
      const bytes = randomBytes(size)
      await usingStore(async (store) => {
        const { descriptor, opened } = await putBytes(store, bytes)
        expect(opened).toEqual([0])
        expect(await store.has(descriptor)).toBe(true)
        expect(sameBytes(await collect(await store.open(descriptor)), bytes)).toBe(true)
        const start = Math.floor(size / 2)
        expect(await collect(await store.open(descriptor, { start }))).toEqual(
          bytes.subarray(start),
        )
      })
    },
  )

  it('keeps sha384 and sha512 content', async () => {
    await usingStore(async (store) => {
      for (const algorithm of ['sha384', 'sha512']) {
        const { descriptor } = await putBytes(store, randomBytes(100), algorithm)
        expect(await store.has(descriptor)).toBe(true)
      }
    })
  })

  it('does not open content that is there', async () => {
    const bytes = randomBytes(100_000)
    await usingStore((store) => putBytes(store, bytes))
    await usingStore(async (store) => {
      expect((await putBytes(store, bytes)).opened).toEqual([])
    })
  })

  it.each([10, 100_000])('refuses %i wrong bytes and keeps nothing', async (size) => {
    await usingStore(async (store) => {
      const { digest } = describeBytes(randomBytes(size))
      const write = (length: number) => {
        const descriptor = { mediaType: 'x', digest, size }
        return store.write(descriptor, async () => chunks(randomBytes(length)))
      }
      await expect(write(size)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
      await expect(write(size + 1)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
      expect(await store.has({ mediaType: 'x', digest, size })).toBe(false)
      expect(fs.readdirSync(path.join(root, 'ingest'))).toEqual([])
    })
  })

  it('goes on where a broken-off stream stopped, in another handle', async () => {
    const bytes = randomBytes(900_000)
    const descriptor = describeBytes(bytes)
    const cut = usingStore((store) =>
      store.write(descriptor, async () => chunks(bytes.subarray(0, 600_000))),
    )
    await expect(cut).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    const broken = usingStore((store) =>
      store.write(descriptor, async (start) => failing(bytes.subarray(start, 700_000))),
    )
    await expect(broken).rejects.toThrow('connection lost')
    await usingStore(async (store) => {
      expect((await putBytes(store, bytes)).opened).toEqual([700_000])
      expect(sameBytes(await collect(await store.open(descriptor)), bytes)).toBe(true)
    })
  })

  it('fetches everything anew, once, when what it had was wrong', async () => {
    const bytes = randomBytes(300_000)
    const descriptor = describeBytes(bytes)
    const wrong = usingStore((store) =>
      store.write(descriptor, async () => chunks(randomBytes(200_000))),
    )
    await expect(wrong).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    await usingStore(async (store) => {
      expect((await putBytes(store, bytes)).opened).toEqual([200_000, 0])
      expect(sameBytes(await collect(await store.open(descriptor)), bytes)).toBe(true)
    })
  })

  it('stops at a signal and keeps what came', async () => {
    const bytes = randomBytes(2_000_000)
    const descriptor = describeBytes(bytes)
    const stop = new AbortController()
    const stopped = usingStore((store) =>
      store.write(
        descriptor,
        async () => {
          const all = chunks(bytes)
          return (async function* () {
            let count = 0
            for await (const chunk of all) {
              if (++count === 10) stop.abort()
              yield chunk
            }
          })()
        },
        { signal: stop.signal },
      ),
    )
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' })
    await usingStore(async (store) => {
      expect((await putBytes(store, bytes)).opened[0]).toBeGreaterThan(100_000)
    })
  })

  it('heals a document that was changed on the disk', async () => {
    const bytes = Buffer.from('{"schemaVersion":2}')
    await usingStore(async (store) => {
      const { descriptor } = await putBytes(store, bytes)
      const document = { ...descriptor, mediaType: mediaTypes.ociManifest }
      fs.writeFileSync(
        path.join(root, 'blobs', descriptor.digest.replace(':', '/')),
        '{"schemaVersion":3}',
      )
      expect(await store.has(document)).toBe(false)
      await store.write(document, async () => chunks(bytes))
      expect(await readVerified(store, document)).toEqual(bytes)
    })
  })

  it('says what it needs and has when the disk cannot take it', async () => {
    await using store = await openStore({ root, minFreeBytes: Number.MAX_SAFE_INTEGER / 2 })
    await expect(putBytes(store, randomBytes(100_000))).rejects.toMatchObject({
      code: 'STORE_FULL',
      details: { free: expect.any(Number), need: expect.any(Number) },
    })
  })

  it.each(['ENOSPC', 'EDQUOT'] as const)(
    'gives back what it wrote when the disk is full: %s',
    async (code) => {
      const real = openNodeFiles()
      const write: typeof real.write = async (file, chunks, position) => {
        if (position > 0) throw fileError(code)
        await real.write(file, chunks, position)
      }
      await using store = await openStore({ root, files: { ...real, write } })
      const { descriptor } = await putBytes(store, randomBytes(100))
      await expect(putBytes(store, randomBytes(3_000_000))).rejects.toMatchObject({
        code: 'STORE_FULL',
      })
      expect(fs.readdirSync(path.join(root, 'ingest'))).toEqual([])
      expect(await store.has(descriptor)).toBe(true)
      expect(await store.removeReference('docker.io/library/none:latest')).toBe(false)
    },
  )

  it('fetches a digest once for two handles that want it at the same time', async () => {
    const bytes = randomBytes(400_000)
    await using first = await openStore({ root })
    await using second = await openStore({ root })
    const opened = (
      await Promise.all([putBytes(first, bytes), putBytes(second, bytes), putBytes(first, bytes)])
    ).flatMap((result) => result.opened)
    expect(opened).toEqual([0])
  })
})

describe('Store.open', () => {
  it('says when content is missing or cut', async () => {
    await usingStore(async (store) => {
      const bytes = randomBytes(1000)
      const missing = describeBytes(bytes)
      await expect(store.open(missing)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
      const { descriptor } = await putBytes(store, bytes)
      fs.truncateSync(path.join(root, 'blobs', descriptor.digest.replace(':', '/')), 500)
      await expect(store.open(descriptor)).rejects.toMatchObject({ code: 'BLOB_DAMAGED' })
      expect(await store.has(descriptor)).toBe(false)
      await putBytes(store, bytes)
      expect(await readVerified(store, descriptor)).toEqual(bytes)
    })
  })

  it('refuses a link in the place of a blob', async () => {
    await usingStore(async (store) => {
      const { descriptor } = await putBytes(store, randomBytes(1000))
      const file = path.join(root, 'blobs', descriptor.digest.replace(':', '/'))
      fs.renameSync(file, path.join(folder, 'elsewhere'))
      fs.symlinkSync(path.join(folder, 'elsewhere'), file)
      expect(await store.has(descriptor)).toBe(false)
      await expect(store.open(descriptor)).rejects.toThrow(KatmanError)
    })
  })
})

async function usingStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await openStore({ root })
  return await use(store)
}

function describeBytes(bytes: Uint8Array, algorithm = 'sha256'): Descriptor {
  const hex = createHash(algorithm).update(bytes).digest('hex')
  return { mediaType: 'x', digest: parseDigest(`${algorithm}:${hex}`), size: bytes.byteLength }
}

async function putBytes(store: Store, bytes: Uint8Array, algorithm = 'sha256') {
  const descriptor = describeBytes(bytes, algorithm)
  const opened: number[] = []
  await store.write(descriptor, async (start) => {
    opened.push(start)
    return chunks(bytes.subarray(start))
  })
  return { descriptor, opened }
}

async function* chunks(bytes: Uint8Array, size = 60_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

async function* failing(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* chunks(bytes)
  throw new Error('connection lost')
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

async function collect(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return Buffer.concat(await Array.fromAsync(bytes))
}
