import { mediaTypes } from '@katman/oci'
import { readVerified } from '@katman/transfer'
import { describe, expect, it } from 'vitest'
import { digestOf, fail, startMemoryRegistry } from '../test/memory-registry.ts'
import { openRepository, readAll } from '../test/support.ts'
import type { RemoteEvent } from './remote.ts'

const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: {}, layers: [] }

describe('createRemote', () => {
  it('resolves a tag by HEAD and reads its manifest and blobs', async () => {
    await using registry = await startMemoryRegistry()
    const descriptor = registry.addManifest(manifest, mediaTypes.ociManifest, 'team/demo:1')
    const blob = registry.addBlob('layer bytes')
    await using opened = openRepository(registry)
    const { repository } = opened
    expect(await repository.resolve('1')).toEqual(descriptor)
    expect((await repository.fetchManifest('1')).descriptor).toEqual(descriptor)
    expect(JSON.parse(Buffer.from(await readVerified(repository, descriptor)).toString())).toEqual(
      manifest,
    )
    expect((await readAll(await repository.open(blob))).toString()).toBe('layer bytes')
    expect((await readAll(await repository.open(blob, { start: 6 }))).toString()).toBe('bytes')
    expect(registry.requests.slice(0, 2)).toEqual(['GET /v2/', 'HEAD /v2/team/demo/manifests/1'])
  })

  it('lists tags over pages', async () => {
    await using registry = await startMemoryRegistry()
    for (const tag of ['a', 'b', 'c', 'd', 'e']) {
      registry.addManifest(manifest, mediaTypes.ociManifest, `team/demo:${tag}`)
    }
    await using opened = openRepository(registry)
    expect(await Array.fromAsync(opened.repository.tags())).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('writes blobs and manifests, tags them, and knows what is there', async () => {
    await using registry = await startMemoryRegistry()
    await using opened = openRepository(registry)
    const { repository } = opened
    const bytes = Buffer.alloc(300_000, 'x')
    const blob = {
      mediaType: 'application/octet-stream',
      digest: digestOf(bytes),
      size: bytes.byteLength,
    }
    const source = async function* () {
      yield bytes.subarray(0, 100_000)
      yield bytes.subarray(100_000)
    }
    expect(await repository.has(blob)).toBe(false)
    await repository.write(blob, async () => source())
    expect(await repository.has(blob)).toBe(true)
    expect(registry.blobs.get(blob.digest)?.equals(bytes)).toBe(true)

    const document = Buffer.from(JSON.stringify(manifest))
    const descriptor = {
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(document),
      size: document.byteLength,
    }
    await repository.write(descriptor, async () =>
      (async function* () {
        yield document
      })(),
    )
    await repository.tag('new', descriptor)
    expect(await repository.resolve('new')).toEqual(descriptor)
  })

  it('says DIGEST_MISMATCH when the source of a write lies', async () => {
    await using registry = await startMemoryRegistry()
    await using opened = openRepository(registry)
    const lie = {
      mediaType: 'application/octet-stream',
      digest: digestOf(Buffer.from('abc')),
      size: 3,
    }
    const written = opened.repository.write(lie, async () =>
      (async function* () {
        yield Buffer.from('abd')
      })(),
    )
    await expect(written).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
    expect(registry.blobs.size).toBe(0)
  })

  it("answers a Basic challenge, and tells docker's text without credentials", async () => {
    await using registry = await startMemoryRegistry()
    registry.addManifest(manifest, mediaTypes.ociManifest, 'team/demo:1')
    registry.intercept = (request, response) => {
      if (request.headers.authorization === `Basic ${btoa('alice:secret')}`) return false
      response.setHeader('www-authenticate', 'Basic realm="x"')
      fail(response, 401, 'UNAUTHORIZED', 'authentication required')
      return true
    }
    await using known = openRepository(registry, {
      credential: { kind: 'basic', username: 'alice', password: 'secret' },
    })
    expect((await known.repository.resolve('1')).mediaType).toBe(mediaTypes.ociManifest)
    await using unknown = openRepository(registry)
    await expect(unknown.repository.resolve('1')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      details: {
        dockerMessage: `Head "http://${registry.host}/v2/team/demo/manifests/1": no basic auth credentials`,
      },
    })
  })

  it('fetches a bearer token once for each scope and renews it when it is refused', async () => {
    await using registry = await startMemoryRegistry()
    registry.addManifest(manifest, mediaTypes.ociManifest, 'team/demo:1')
    const blob = registry.addBlob('x')
    let good = 't1'
    let issued = 0
    registry.intercept = (request, response) => {
      if (request.url?.startsWith('/token')) {
        issued++
        response.end(
          JSON.stringify({ token: good, expires_in: 300, issued_at: '2001-01-01T00:00:00Z' }),
        )
        return true
      }
      if (request.headers.authorization === `Bearer ${good}`) return false
      response.setHeader('www-authenticate', `Bearer realm="${registry.url}/token",service="reg"`)
      fail(response, 401, 'UNAUTHORIZED', 'authentication required')
      return true
    }
    await using opened = openRepository(registry)
    await opened.repository.resolve('1')
    await opened.repository.fetchManifest('1')
    await Promise.all([1, 2, 3].map(async () => readAll(await opened.repository.open(blob))))
    expect(issued).toBe(1)
    good = 't2'
    await readAll(await opened.repository.open(blob))
    expect(issued).toBe(2)
    expect(registry.requests.filter((line) => line.startsWith('GET /token'))[0]).toBe(
      'GET /token?scope=repository%3Ateam%2Fdemo%3Apull&service=reg',
    )
  })

  it('goes on after a cut with Range and If-Range, as one stream', async () => {
    await using registry = await startMemoryRegistry()
    const content = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251))
    const blob = registry.addBlob(content)
    const ranges: (string | undefined)[] = []
    registry.intercept = (request, response) => {
      if (!request.url?.includes('/blobs/')) return false
      ranges.push(request.headers.range)
      if (ranges.length > 2) return false
      const start = Number(/\d+/.exec(request.headers.range ?? '0')?.[0])
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': 1000 - start,
        etag: '"e"',
        'content-range': `bytes ${start}-999/1000`,
      })
      response.write(content.subarray(start, start + 300), () => response.destroy())
      return true
    }
    const events: RemoteEvent[] = []
    await using opened = openRepository(registry, { onEvent: (event) => events.push(event) })
    expect((await readAll(await opened.repository.open(blob))).equals(content)).toBe(true)
    expect(ranges).toEqual([undefined, 'bytes=300-', 'bytes=600-'])
    expect(events.map(({ type, afterMs }) => [type, afterMs])).toEqual([
      ['retry', 250],
      ['retry', 250],
    ])
  })

  it('tells a missing manifest, a missing blob and a refused connection like docker', async () => {
    await using registry = await startMemoryRegistry()
    await using opened = openRepository(registry)
    await expect(opened.repository.resolve('none')).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      details: { dockerMessage: 'manifest unknown: manifest unknown' },
    })
    const digest = digestOf(Buffer.from('nothing'))
    await expect(
      opened.repository.open({ mediaType: 'x/y', digest, size: 7 }),
    ).rejects.toMatchObject({
      code: 'BLOB_UNKNOWN',
      details: { dockerMessage: 'unknown blob' },
    })
    const { host } = registry
    await registry[Symbol.asyncDispose]()
    await using gone = openRepository(registry)
    await expect(gone.repository.resolve('1')).rejects.toMatchObject({
      code: 'CONNECTION_REFUSED',
      details: {
        dockerMessage: `Get "http://${host}/v2/": dial tcp ${host}: connect: connection refused`,
      },
    })
  })
})
