import { gzipSync, zstdCompressSync } from 'node:zlib'
import { tarBytes } from '@katman/layer'
import { type Descriptor, maxDocumentBytes, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { altered, refusal } from './faults.ts'
import {
  addDocument,
  addIndex,
  digestOf,
  type ImageOptions,
  noise,
  platform,
} from './hostile-image.ts'
import type { Fault } from './hostile-registry.ts'
import { setUp } from './pull-setup.ts'
import { manifestBytes } from '../registry/content.ts'

const mebibyte = 1024 * 1024

describe('a pull bounds', () => {
  it('manifests and indexes', async () => {
    await using setup = await setUp()
    const { storage } = setup.registry
    const document = {
      schemaVersion: 2,
      manifests: [],
      annotations: { x: 'x'.repeat(5 * mebibyte) },
    }
    const large = await addDocument(storage, mediaTypes.ociIndex, document, 'large')
    const byTag = await setup.refused({ tag: 'large' })
    expect(byTag.code).toBe('DOCUMENT_TOO_LARGE')
    expect(byTag.message).toContain(large.digest)
    await addIndex(storage, [{ ...large, mediaType: mediaTypes.ociManifest, platform }], 'child')
    expect(await setup.refused({ tag: 'child' })).toMatchObject({ code: 'DOCUMENT_TOO_LARGE' })
    await setup.recovers()
  })

  it('a manifest without end, which it does not read to the end', async () => {
    await using setup = await setUp()
    let sent = 0
    setup.registry.disturb(/HEAD .*manifests/, refusal(405, 'UNSUPPORTED'))
    setup.registry.disturb(/GET .*manifests/, async ({ outgoing }) => {
      outgoing.writeHead(200, { 'content-type': mediaTypes.ociIndex })
      const chunk = Buffer.alloc(mebibyte, ' ')
      for (; !outgoing.destroyed; sent += chunk.byteLength) {
        if (outgoing.write(chunk)) continue
        await new Promise<void>((resolve) => {
          outgoing.once('drain', resolve)
          outgoing.once('close', resolve)
        })
      }
    })
    const error = await setup.refused()
    expect(error.code).toBe('DOCUMENT_TOO_LARGE')
    expect(error.message).toContain('latest')
    expect(sent).toBeLessThan(8 * maxDocumentBytes)
    await setup.recovers()
  })

  it('the config', async () => {
    await using setup = await setUp({ config: { author: 'x'.repeat(5 * mebibyte) } })
    const error = await setup.refused()
    expect(error.code).toBe('DOCUMENT_TOO_LARGE')
    expect(error.message).toContain(setup.image.config.digest)
    await setup.recovers()
  })

  it('nested indexes in depth', async () => {
    await using setup = await setUp()
    const { storage } = setup.registry
    let inner: Descriptor = setup.image.index
    for (let depth = 0; depth < 3; depth++) {
      inner = await addIndex(storage, [inner], `nested-${depth}`)
    }
    expect((await setup.pull({ tag: 'nested-0' })).images).toHaveLength(1)
    await setup.recovers()
    await using fresh = await setUp()
    for (let depth = 0; depth < 30; depth++) {
      inner = await addIndex(fresh.registry.storage, [inner])
    }
    const error = await fresh.refused()
    expect(error.code).toBe('GRAPH_LIMIT')
    expect(error.message).toContain('sha256:')
    expect(fresh.registry.requests.length).toBeLessThan(20)
  })

  it('nested indexes in breadth', async () => {
    await using setup = await setUp()
    const { storage } = setup.registry
    const leaves: Descriptor[] = []
    for (let leaf = 0; leaf < 2100; leaf++) {
      const document = { schemaVersion: 2, manifests: [], annotations: { leaf: String(leaf) } }
      leaves.push(await addDocument(storage, mediaTypes.ociIndex, document))
    }
    const halves = [leaves.slice(0, 1050), leaves.slice(1050)]
    const middle = await Promise.all(halves.map((half) => addIndex(storage, half)))
    await addIndex(storage, middle, 'wide')
    expect(await setup.refused({ tag: 'wide', platform: 'all' })).toMatchObject({
      code: 'GRAPH_LIMIT',
    })
    await addIndex(storage, leaves, 'wider')
    expect(await setup.refused({ tag: 'wider', platform: 'all' })).toMatchObject({
      code: 'MANIFEST_INVALID',
    })
    await setup.recovers()
  })

  it('what is named again and again', async () => {
    await using setup = await setUp()
    const { storage } = setup.registry
    let inner: Descriptor = setup.image.index
    for (let depth = 0; depth < 2; depth++) {
      inner = await addIndex(
        storage,
        Array.from({ length: 500 }, () => inner),
        'amplified',
      )
    }
    expect((await setup.pull({ tag: 'amplified' })).images).toHaveLength(1)
    expect(setup.registry.requests.length).toBeLessThan(20)
    await setup.recovers()
  })

  it('an index that is served as its own entry', async () => {
    await using setup = await setUp()
    const { storage } = setup.registry
    const leaf = await addIndex(storage, [], 'leaf')
    const root = await addIndex(storage, [leaf], 'circle')
    const bytes = await manifestBytes(storage, root.digest)
    setup.registry.disturb(
      new RegExp(`GET .*${leaf.digest}`),
      altered(({ headers }) => ({
        headers: { ...headers, 'content-length': String(bytes.byteLength) },
        body: Buffer.from(bytes),
      })),
    )
    expect((await setup.refused({ tag: 'circle' })).code).toMatch(/^(DIGEST|SIZE)_MISMATCH$/)
    expect(setup.registry.requests.length).toBeLessThan(20)
    await setup.recovers()
  })

  it('the layers of a manifest', async () => {
    await using setup = await setUp({
      lieInManifest: ({ layers }) => ({ layers: Array.from({ length: 2001 }, () => layers[0]) }),
    })
    expect(await setup.refused()).toMatchObject({ code: 'MANIFEST_INVALID' })
    await setup.recovers()
  })

  it.each<[string, Uint8Array]>([
    ['a million brackets', Buffer.alloc(mebibyte, '[')],
    ['a million objects', Buffer.from('{"a":'.repeat(200_000))],
    ['half a document', Buffer.from('{"schemaVersion":2,"manifests":[')],
    ['two documents', Buffer.from('{"schemaVersion":2,"manifests":[]}{}')],
    ['one key twice', Buffer.from('{"schemaVersion":2,"manifests":[],"manifests":[]}')],
    [
      'bytes that are no text',
      Buffer.from('{"schemaVersion":2,"manifests":[],"a":"\xff"}', 'latin1'),
    ],
    ['a mark before the text', Buffer.from('\ufeff{"schemaVersion":2,"manifests":[]}')],
  ])('a document of %s', async (_, bytes) => {
    await using setup = await setUp()
    await addDocument(setup.registry.storage, mediaTypes.ociIndex, bytes, 'odd')
    const error = await setup.refused({ tag: 'odd' })
    expect(error.code).toBe('JSON_INVALID')
    expect(error.message).toContain('manifest')
    await setup.recovers()
  })

  it.each<[string, Uint8Array, string]>([
    [
      'a manifest and an index at once',
      Buffer.from('{"schemaVersion":2,"manifests":[],"layers":[]}'),
      'layers',
    ],
    [
      'keys that differ by case',
      Buffer.from('{"schemaVersion":2,"Manifests":[],"manifests":[]}'),
      'Manifests',
    ],
    [
      'a list that is none',
      Buffer.from('{"schemaVersion":2,"manifests":{"__proto__":[]}}'),
      'manifests',
    ],
    [
      'an entry with a bad digest',
      Buffer.from(
        '{"schemaVersion":2,"manifests":[{"mediaType":"x","size":1,"digest":"sha256:../../x"}]}',
      ),
      'digest',
    ],
    [
      'an entry with a bad size',
      Buffer.from(
        `{"schemaVersion":2,"manifests":[{"mediaType":"x","size":-1,"digest":"${digestOf(noise(1))}"}]}`,
      ),
      'size',
    ],
  ])('a document that is %s', async (_, bytes, word) => {
    await using setup = await setUp()
    await addDocument(setup.registry.storage, mediaTypes.ociIndex, bytes, 'odd')
    const error = await setup.refused({ tag: 'odd' })
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.message).toContain(word)
    await setup.recovers()
  })
})

describe('a layer', () => {
  const tar = tarBytes([{ name: 'a', content: noise(100_000) }])
  const gzip = gzipSync(tar)
  const zstd = zstdCompressSync(tar)

  it.each<[string, Uint8Array, string, RegExp]>([
    [
      'gzip with a broken middle',
      broken(gzip),
      mediaTypes.ociLayerGzip,
      /^LAYER_(COMPRESSION_INVALID|CONTENT_MISMATCH)$/,
    ],
    [
      'gzip cut short',
      gzip.subarray(0, 50_000),
      mediaTypes.ociLayerGzip,
      /^LAYER_COMPRESSION_INVALID$/,
    ],
    [
      'gzip with something behind it',
      Buffer.concat([gzip, noise(100)]),
      mediaTypes.ociLayerGzip,
      /^LAYER_COMPRESSION_INVALID$/,
    ],
    [
      'zstd with a broken middle',
      broken(zstd),
      mediaTypes.ociLayerZstd,
      /^LAYER_(COMPRESSION_INVALID|CONTENT_MISMATCH)$/,
    ],
    [
      'zstd cut short',
      zstd.subarray(0, 50_000),
      mediaTypes.ociLayerZstd,
      /^LAYER_COMPRESSION_INVALID$/,
    ],
    [
      'zstd with something behind it',
      Buffer.concat([zstd, noise(100)]),
      mediaTypes.ociLayerZstd,
      /^LAYER_COMPRESSION_INVALID$/,
    ],
    [
      'zstd with a window of a gibibyte',
      Buffer.from('28b52ffd00a0010000', 'hex'),
      mediaTypes.ociLayerZstd,
      /^LAYER_COMPRESSION_INVALID$/,
    ],
    [
      'a tar cut short',
      gzipSync(tar.subarray(0, 50_000)),
      mediaTypes.ociLayerGzip,
      /^TAR_TRUNCATED$/,
    ],
    ['no tar at all', gzipSync(noise(10_000)), mediaTypes.ociLayerGzip, /^TAR_INVALID$/],
  ])('of %s is refused', async (_, bytes, mediaType, code) => {
    await using setup = await setUp({ layer: { ...promising(bytes, tar), mediaType } })
    const error = await setup.refused()
    expect(error.code).toMatch(code)
    expect(error.message).toMatch(/layer|tar/)
    await setup.recovers()
  })

  it('of a gibibyte of zeros takes no memory and is refused when it is not what was promised', async () => {
    const member = gzipSync(Buffer.alloc(16 * mebibyte))
    const bytes = Buffer.concat(Array.from({ length: 64 }, () => member))
    await using setup = await setUp({ layer: promising(bytes, tar) })
    const before = process.memoryUsage.rss()
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss() - before)
    }, 5)
    const error = await setup.refused()
    clearInterval(watch)
    expect(error.code).toBe('LAYER_CONTENT_MISMATCH')
    expect(most).toBeLessThan(256 * mebibyte)
    await setup.recovers()
  })

  it('that is large inside does not hold up who gives up', async () => {
    const member = gzipSync(Buffer.alloc(16 * mebibyte))
    const bytes = Buffer.concat(Array.from({ length: 1000 }, () => member))
    await using setup = await setUp({ layer: promising(bytes, tar) })
    const stop = new AbortController()
    const pulling = setup.pull({
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === 'progress' && event.progress.state === 'indexing') stop.abort()
      },
    })
    await expect(pulling).rejects.toThrow(/abort/)
    await setup.recovers()
  })
})

describe('a list of tags', () => {
  it.each<[string, (at: number) => Page]>([
    ['that leads back to itself', () => ({ link: '</v2/team/app/tags/list?n=1>; rel="next"' })],
    [
      'that turns in a circle',
      (at) => ({ link: `</v2/team/app/tags/list?at=${at % 3}>; rel="next"` }),
    ],
    ['that has no end', (at) => ({ link: `</v2/team/app/tags/list?at=${at}>; rel="next"` })],
    ['that goes on elsewhere', () => ({ link: '<http://127.0.0.1:1/v2/x>; rel="next"' })],
    ['that is too large', () => ({ tags: `"${'x'.repeat(17 * mebibyte)}"` })],
    ['that is no list', () => ({ tags: '{}' })],
    ['with a tag that is none', () => ({ tags: '["../../etc"]' })],
    ['with an escape sequence', () => ({ tags: String.raw`["\u001b[31m"]` })],
  ])('%s is refused', { timeout: 60_000 }, async (_, answer) => {
    await using setup = await setUp()
    let pages = 0
    setup.registry.disturb(/tags\/list/, (exchange) => page(answer(++pages))(exchange))
    const error = await setup.tagsRefused()
    expect(error.code).toBe('RESPONSE_INVALID')
    expect(error.message).toContain(setup.registry.host)
    expect(error.message).not.toContain('\u001b')
    // A page may be asked for again when the machine is too busy to answer in time.
    expect(pages).toBeLessThan(11_000)
    await setup.recovers()
  })
})

interface Page {
  readonly link?: string
  /** JSON. Default: one tag. */
  readonly tags?: string
}

function page({ link, tags = '["a"]' }: Page): Fault {
  const body = Buffer.from(`{"name":"team/app","tags":${tags}}`)
  return ({ outgoing }) => {
    outgoing.writeHead(200, {
      'content-type': 'application/json',
      ...(link === undefined ? {} : { link }),
    })
    outgoing.end(body)
  }
}

function broken(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes).fill(0xa5, 1000, 1100)
}

/** A layer whose config promises another content. */
function promising(bytes: Uint8Array, content: Uint8Array): NonNullable<ImageOptions['layer']> {
  return { bytes, diffID: digestOf(content) }
}
