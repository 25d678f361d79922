import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describePeers } from '../../../test/peers/require-peer.ts'
import type { ObjectStore, ObjectUpload } from '../src/index.ts'
import { openS3Objects } from '../src/objects/s3-objects.ts'
import { type FaultyServer, startFaultyServer } from './http-faults.ts'
import { objectStoreSuite } from './object-store-suite.ts'
import { type S3Peer, s3Servers, startS3 } from '../../../test/peers/s3-servers.ts'

const key = '0e8dd0a4-77a1-4c1e-9d0a-0a1b2c3d4e5f'
const mebibyte = 1024 * 1024

describePeers('openS3Objects', s3Servers, () => {
  describe.each(s3Servers)('with %s', (kind) => {
    let running: S3Peer | undefined
    beforeAll(async () => {
      running = await startS3(kind)
    })
    afterAll(() => running?.[Symbol.asyncDispose]())
    const server = () => {
      if (running === undefined) throw new Error('the server runs only inside the tests')
      return running
    }
    const open = async () => openS3Objects(await server().createBucket())

    objectStoreSuite(kind, async () => ({
      store: await open(),
      async [Symbol.asyncDispose]() {},
    }))

    it('takes small pieces in many processes, and leaves nothing but the object', async () => {
      await using faulty = await startFaultyServer(server().port)
      const url = await server().createBucket(faulty.port)
      const bytes = randomBytes(18 * mebibyte + 77)
      let upload = await (await openS3Objects(url)).begin(key)
      for (let at = 0; at < bytes.length; at += 1_234_567) {
        const store = await openS3Objects(url)
        const step = await store.append(upload, piecesOf(bytes.subarray(at, at + 1_234_567)))
        expect(step.failure).toBeUndefined()
        upload = copyOf(step.upload)
      }
      const last = await openS3Objects(url)
      await last.finish(upload)
      expect(await hashOf(last, bytes.length)).toBe(sha256(bytes))
      const stored = faulty.requests.filter((line) => /^PUT .*\/tails\//.test(line))
      expect(stored.length).toBeGreaterThan(5)
      const prefixes = await namesIn(faulty, url)
      expect(prefixes).toEqual([`registry/blobs/${key}`])
    })

    it('goes on after it was read', async () => {
      const store = await open()
      const bytes = randomBytes(20 * mebibyte)
      let upload = await store.begin(key)
      upload = (await store.append(upload, piecesOf(bytes.subarray(0, 12 * mebibyte)))).upload
      expect(sha256(await bytesOf(store.readUpload(copyOf(upload))))).toBe(
        sha256(bytes.subarray(0, 12 * mebibyte)),
      )
      for (const end of [12.5, 13, 20]) {
        const rest = bytes.subarray(upload.size, end * mebibyte)
        const step = await store.append(copyOf(upload), piecesOf(rest))
        expect(step.failure).toBeUndefined()
        upload = copyOf(step.upload)
        await bytesOf(store.readUpload(upload))
      }
      await store.finish(upload)
      expect(await hashOf(store, bytes.length)).toBe(sha256(bytes))
    })

    it('tries again when it is told to slow down', async () => {
      await withFaults(async (store, faulty) => {
        let refusals = 0
        faulty.decide = () => (refusals++ % 3 === 2 ? 'pass' : { status: 503 })
        const bytes = randomBytes(9 * mebibyte)
        const { upload, failure } = await store.append(await store.begin(key), piecesOf(bytes))
        expect(failure).toBeUndefined()
        await store.finish(upload)
        expect(await hashOf(store, bytes.length)).toBe(sha256(bytes))
      })
    })

    it('keeps what was stored when the server goes away, and goes on later', async () => {
      await withFaults(async (store, faulty) => {
        const bytes = randomBytes(24 * mebibyte)
        const begun = await store.append(
          await store.begin(key),
          piecesOf(bytes.subarray(0, 2 * mebibyte)),
        )
        faulty.decide = (_method, path) =>
          path.includes('partNumber=3') || path.includes('/tails/') ? { status: 503 } : 'pass'
        const cut = await store.append(begun.upload, piecesOf(bytes.subarray(2 * mebibyte)))
        expect(cut.failure).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
        expect(cut.upload.size).toBe(10 * mebibyte)
        faulty.decide = () => ({ status: 503 })
        const again = await store.append(
          copyOf(cut.upload),
          piecesOf(bytes.subarray(10 * mebibyte)),
        )
        expect(again.failure).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
        expect(again.upload.size).toBe(cut.upload.size)
        await expect(store.finish(cut.upload)).rejects.toMatchObject({
          code: 'STORAGE_UNAVAILABLE',
        })
        faulty.decide = () => 'pass'
        const rest = await store.append(again.upload, piecesOf(bytes.subarray(10 * mebibyte)))
        expect(rest.failure).toBeUndefined()
        await store.finish(rest.upload)
        expect(await hashOf(store, bytes.length)).toBe(sha256(bytes))
      })
    })

    it('does not wait for ever for a server that says nothing', async () => {
      await withFaults(async (store, faulty) => {
        faulty.decide = () => 'silent'
        const bytes = randomBytes(20_000)
        const { failure } = await store.append(await store.begin(key), piecesOf(bytes))
        expect(failure).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
        await expect(hashOf(store, 1)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      })
    })

    it('reads on where an answer broke off, and says so when bytes are missing', async () => {
      await withFaults(async (store, faulty) => {
        const bytes = randomBytes(3 * mebibyte)
        const { upload } = await store.append(await store.begin(key), piecesOf(bytes))
        await store.finish(upload)
        let gets = 0
        faulty.decide = (method) => {
          gets += method === 'GET' ? 1 : 0
          return method === 'GET' && gets < 4 ? { cutAfter: 900_000 } : 'pass'
        }
        expect(await hashOf(store, bytes.length)).toBe(sha256(bytes))
        expect(gets).toBe(4)
        faulty.decide = () => 'pass'
        await expect(hashOf(store, bytes.length + 1)).rejects.toMatchObject({ code: 'OBJECT_LOST' })
        faulty.decide = () => ({ cutAfter: 0 })
        await expect(hashOf(store, bytes.length)).rejects.toMatchObject({
          code: 'STORAGE_UNAVAILABLE',
        })
      })
    })

    it('waits for a server that takes long to put the parts together', async () => {
      await withFaults(async (store, faulty) => {
        const bytes = randomBytes(9 * mebibyte)
        const { upload } = await store.append(await store.begin(key), piecesOf(bytes))
        faulty.decide = (_method, path) => (isCompletion(path) ? { delayMs: 1500 } : 'pass')
        await store.finish(upload)
        expect(faulty.requests.filter(isCompletion)).toHaveLength(1)
        expect(await hashOf(store, bytes.length)).toBe(sha256(bytes))
      })
    })

    it('deletes a thousand in one request', async () => {
      await withFaults(async (store, faulty) => {
        await store.delete(Array.from({ length: 2500 }, (_, at) => at.toString(16)))
        expect(faulty.requests.filter((line) => line.startsWith('POST'))).toHaveLength(3)
      })
    })

    it('gives a link by which a client without a key gets the object', async () => {
      const store = await open()
      const { upload } = await store.append(await store.begin(key), piecesOf(Buffer.from('bytes')))
      await store.finish(upload)
      const options = { expiresSeconds: 60, contentType: 'application/octet-stream' }
      const link = await store.linkTo?.(key, options)
      const answer = await fetch(link ?? '')
      expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
        200,
        'application/octet-stream',
        'bytes',
      ])
      const without = await fetch((link ?? '').split('?')[0] ?? '')
      expect([without.status, (await without.text()).includes('bytes')]).toEqual([403, false])
    })

    it('says that a key is refused, and not what it is', async () => {
      const url = (await server().createBucket()).replace('katman-secret', 'an0ther')
      const failure = await openS3Objects(url).catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'STORAGE_FAILED' })
      expect(String(failure)).not.toContain('an0ther')
    })

    async function withFaults(
      work: (store: ObjectStore, faulty: FaultyServer) => Promise<void>,
    ): Promise<void> {
      await using faulty = await startFaultyServer(server().port)
      const url = await server().createBucket(faulty.port)
      const store = await openS3Objects(`${url}&timeout=1&attempts=3`)
      faulty.requests.length = 0
      await work(store, faulty)
    }
  })
})

function isCompletion(line: string): boolean {
  return line.includes('uploadId=') && !line.includes('partNumber=') && !line.includes('ListParts')
}

/** All that a bucket has, with what no store lists. */
async function namesIn(faulty: FaultyServer, url: string): Promise<readonly string[]> {
  const { ListObjectsV2Command, S3Client } = await import('@aws-sdk/client-s3')
  const { username, password, hostname } = new URL(url)
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${faulty.port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: username, secretAccessKey: password },
  })
  const { Contents: contents = [] } = await client.send(
    new ListObjectsV2Command({ Bucket: hostname }),
  )
  client.destroy()
  return contents.map(({ Key: name }) => name ?? '')
}

async function* piecesOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

function copyOf(upload: ObjectUpload): ObjectUpload {
  return Object(JSON.parse(JSON.stringify(upload)))
}

async function hashOf(store: ObjectStore, size: number): Promise<string> {
  return sha256(await bytesOf(store.open(key, { start: 0, end: size })))
}

async function bytesOf(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(bytes))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
