import { afterAll, describe, expect, it } from 'vitest'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { parseDigest } from '@katman/oci'
import { inChunks, sha256 } from '../test/read-tar.ts'
import { decodeLayerIndex } from './index-codec.ts'
import { openIndexPool } from './index-pool.ts'
import { indexLayer } from './layer-index.ts'
import { tarBytes } from './tar-writer.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'katman-index-pool-'))
afterAll(() => rmSync(folder, { recursive: true }))

const archive = tarBytes(
  Array.from({ length: 300 }, (_, at) => ({ name: `d/${at}`, content: `${at}`.repeat(200) })),
)
const diffID = parseDigest(`sha256:${sha256(archive)}`)
const gzip = gzipSync(archive)
const digest = parseDigest(`sha256:${sha256(gzip)}`)
const save = (name: string, bytes: Uint8Array) => {
  const file = path.join(folder, name)
  writeFileSync(file, bytes)
  return file
}
const file = save('layer.tar.gz', gzip)
const zstdFile = save('layer.tar.zst', zstdCompressSync(archive))
const plainFile = save('layer.tar', archive)
const cutFile = save('cut.tar.gz', gzip.subarray(0, -20))

describe.each([
  ['in threads', { workers: 2, inlineBytes: 0 }],
  ['in the calling thread', { workers: 0 }],
  ['small files in the calling thread', {}],
])('openIndexPool: %s', (_, options) => {
  it('indexes files of every compression', async () => {
    await using pool = openIndexPool(options)
    const jobs = [
      pool.indexFile(file, 'gzip', diffID, { expectedDigest: digest }),
      pool.indexFile(zstdFile, 'zstd', diffID),
      pool.indexFile(plainFile, 'none', undefined),
      pool.indexFile(plainFile, 'detect', diffID),
      pool.indexFile(zstdFile, 'detect', diffID),
    ]
    const expected = await indexLayer(inChunks(archive), 'none')
    for (const indexed of await Promise.all(jobs)) {
      expect(indexed).toMatchObject({ diffID, size: archive.length, entryCount: 300 })
      expect(decodeLayerIndex(indexed.encoded)).toEqual(expected)
    }
  })

  it('gives the errors that the calling thread would give', async () => {
    await using pool = openIndexPool(options)
    const wrong = parseDigest(`sha256:${'0'.repeat(64)}`)
    await expect(pool.indexFile(file, 'gzip', wrong)).rejects.toMatchObject({
      name: 'KatmanError',
      code: 'LAYER_CONTENT_MISMATCH',
      details: { expected: wrong, actual: diffID },
      hint: expect.stringContaining('inconsistent'),
    })
    await expect(pool.indexFile(cutFile, 'gzip', diffID)).rejects.toMatchObject({
      code: 'LAYER_COMPRESSION_INVALID',
    })
    await expect(
      pool.indexFile(cutFile, 'gzip', diffID, { expectedDigest: digest }),
    ).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    await expect(pool.indexFile(path.join(folder, 'none'), 'gzip', diffID)).rejects.toMatchObject({
      code: 'ENOENT',
    })
    await expect(pool.indexFile(file, 'gzip', diffID, { maxBytes: 5 })).rejects.toMatchObject({
      code: 'LAYER_TOO_LARGE',
    })
  })

  it('stops for a signal, and goes on with the next', async () => {
    await using pool = openIndexPool(options)
    const stop = new AbortController()
    const stopped = pool.indexFile(file, 'gzip', diffID, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(stopped).rejects.toThrow('enough')
    await expect(
      pool.indexFile(file, 'gzip', diffID, { signal: AbortSignal.abort(new Error('early')) }),
    ).rejects.toThrow('early')
    expect(await pool.indexFile(file, 'gzip', diffID)).toMatchObject({ diffID })
  })

  it('takes no work after it was closed', async () => {
    const pool = openIndexPool(options)
    await pool[Symbol.asyncDispose]()
    await expect(pool.indexFile(file, 'gzip', diffID)).rejects.toMatchObject({
      code: 'INDEX_POOL_CLOSED',
    })
  })
})

describe('openIndexPool', () => {
  it('fails what waits and what runs when it is closed', async () => {
    const pool = openIndexPool({ workers: 1, inlineBytes: 0 })
    const jobs = Array.from({ length: 4 }, () => pool.indexFile(file, 'gzip', diffID))
    const settled = Promise.allSettled(jobs)
    await pool[Symbol.asyncDispose]()
    for (const result of await settled) {
      expect(result).toMatchObject({ reason: { code: 'INDEX_POOL_CLOSED' } })
    }
  })

  it('tells when a thread dies', async () => {
    const workerUrl = new URL('./no-such-worker.ts', import.meta.url)
    await using pool = openIndexPool({ inlineBytes: 0, workerUrl })
    await expect(pool.indexFile(file, 'gzip', diffID)).rejects.toMatchObject({
      code: 'INDEX_WORKER_FAILED',
    })
    await expect(pool.indexFile(file, 'gzip', diffID)).rejects.toMatchObject({
      code: 'INDEX_WORKER_FAILED',
    })
  })
})
