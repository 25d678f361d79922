import { describe, expect, it } from 'vitest'
import type { ObjectStore, ObjectUpload } from '../src/index.ts'

/** What every object store does. `open` gives an empty one. */
export function objectStoreSuite(
  name: string,
  open: () => Promise<AsyncDisposable & { readonly store: ObjectStore }>,
): void {
  describe(`objects in ${name}`, () => {
    const key = '0e8dd0a4-77a1-4c1e-9d0a-0a1b2c3d4e5f'
    const other = 'ffffffff-77a1-4c1e-9d0a-0a1b2c3d4e5f'

    it('are there when they are finished, and not before', async () => {
      await using opened = await open()
      const { store } = opened
      const upload = await add(store, await store.begin(key), 'one ', 'two')
      expect(upload).toMatchObject({ key, size: 7 })
      expect(await keysOf(store)).toEqual([])
      await store.finish(upload)
      expect(await read(store.open(key, { start: 0, end: 7 }))).toBe('one two')
      const [object, ...more] = await Array.fromAsync(store.list())
      expect([object?.key, object?.size, more]).toEqual([key, 7, []])
      expect(Math.abs((object?.modifiedAt ?? 0) - Date.now())).toBeLessThan(120_000)
    })

    it('go on from a state that went through JSON', async () => {
      await using opened = await open()
      const { store } = opened
      let upload = await store.begin(key)
      for (const text of ['one ', '', 'two ', 'three']) {
        upload = copyOf(await add(store, upload, text))
      }
      expect(await read(store.readUpload(upload))).toBe('one two three')
      await store.finish(upload)
      expect(await read(store.open(key, { start: 0, end: 13 }))).toBe('one two three')
    })

    it('keep what arrived before the bytes failed', async () => {
      await using opened = await open()
      const { store } = opened
      const failure = new Error('gone')
      async function* failing(): AsyncIterable<Uint8Array> {
        yield Buffer.from('some')
        throw failure
      }
      const first = await store.append(await store.begin(key), failing())
      expect(first.failure).toBe(failure)
      expect(first.upload.size).toBe(4)
      const upload = await add(store, copyOf(first.upload), ' more')
      await store.finish(upload)
      expect(await read(store.open(key, { start: 0, end: 9 }))).toBe('some more')
    })

    it('begin where the state says, whatever was written behind it', async () => {
      await using opened = await open()
      const { store } = opened
      const early = await add(store, await store.begin(key), 'early')
      // A process that was killed before it could tell how far it came.
      await add(store, copyOf(early), ' and what nobody wrote down')
      const upload = await add(store, copyOf(early), ' end')
      expect(await read(store.readUpload(upload))).toBe('early end')
      await store.finish(upload)
      expect(await read(store.open(key, { start: 0, end: 9 }))).toBe('early end')
      expect((await Array.fromAsync(store.list())).map(({ size }) => size)).toEqual([9])
    })

    it('may be empty, and large', async () => {
      await using opened = await open()
      const { store } = opened
      await store.finish(await store.begin(key))
      expect(await read(store.open(key, { start: 0, end: 0 }))).toBe('')
      const large = Buffer.alloc(11_000_003, 'large and uneven ')
      let upload = await store.begin(other)
      for (let at = 0; at < large.length; at += 5_500_001) {
        const { upload: advanced } = await store.append(
          copyOf(upload),
          chunks(large.subarray(at, at + 5_500_001), 65_536),
        )
        upload = advanced
      }
      expect(upload.size).toBe(large.length)
      await store.finish(copyOf(upload))
      const whole = await bytesOf(store.open(other, { start: 0, end: large.length }))
      expect(whole.equals(large)).toBe(true)
      const part = await bytesOf(store.open(other, { start: 1_048_575, end: 7_340_034 }))
      expect(part.equals(large.subarray(1_048_575, 7_340_034))).toBe(true)
    })

    it('may be finished twice: who finished it may not have lived to hear of it', async () => {
      await using opened = await open()
      const { store } = opened
      const upload = await add(store, await store.begin(key), 'bytes')
      await store.finish(upload)
      await store.finish(copyOf(upload))
      expect(await read(store.open(key, { start: 1, end: 3 }))).toBe('yt')
    })

    it('are forgotten when they are given up or deleted, also twice', async () => {
      await using opened = await open()
      const { store } = opened
      const upload = await add(store, await store.begin(key), 'bytes')
      await store.abort(upload)
      await store.abort(upload)
      expect(await keysOf(store)).toEqual([])
      for (const name of [key, other]) {
        await store.finish(await add(store, await store.begin(name), name))
      }
      await store.delete([key, key, '00'])
      await store.delete([])
      expect(await keysOf(store)).toEqual([other])
      expect(await read(store.open(other, { start: 0, end: 8 }))).toBe('ffffffff')
      await expect(read(store.open(key, { start: 0, end: 1 }))).rejects.toThrow()
    })
  })
}

async function add(
  store: ObjectStore,
  upload: ObjectUpload,
  ...texts: readonly string[]
): Promise<ObjectUpload> {
  async function* bytes(): AsyncIterable<Uint8Array> {
    for (const text of texts) yield Buffer.from(text)
  }
  const result = await store.append(upload, bytes())
  if (result.failure !== undefined) throw result.failure
  return result.upload
}

function copyOf(upload: ObjectUpload): ObjectUpload {
  return Object(JSON.parse(JSON.stringify(upload)))
}

async function* chunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function bytesOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(bytes))
}

async function read(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  return (await bytesOf(bytes)).toString()
}

async function keysOf(store: ObjectStore): Promise<readonly string[]> {
  return (await Array.fromAsync(store.list())).map(({ key }) => key).toSorted()
}
