import { describe, expect, it } from 'vitest'
import { mediaTypes } from '@katman/oci'
import { type Handler, startMemoryRegistry } from '../test/memory-registry.ts'
import { openRepository, readAll } from '../test/support.ts'
import { createRemote } from './remote.ts'
import { noCredentials } from './credential.ts'
import { defaultSettings } from './settings.ts'
import { fakeClock } from '../test/support.ts'

const content = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251))

async function fetchBlob(handler: Handler, start = 0): Promise<Buffer> {
  await using registry = await startMemoryRegistry()
  const blob = registry.addBlob(content)
  registry.intercept = (request, response) =>
    request.url?.includes('/blobs/') ? handler(request, response) : false
  await using opened = openRepository(registry)
  return await readAll(await opened.repository.open(blob, { start }))
}

describe('blob streams', () => {
  it('go on from a 200 by dropping what is known', async () => {
    let calls = 0
    const bytes = await fetchBlob((_request, response) => {
      response.writeHead(200, { 'content-length': 1000 })
      if (calls++ > 0) response.end(content)
      else response.write(content.subarray(0, 400), () => response.destroy())
      return true
    })
    expect(bytes.equals(content)).toBe(true)
    const from = await fetchBlob((_request, response) => {
      response.writeHead(200, { 'content-length': 1000 }).end(content)
      return true
    }, 990)
    expect(from.equals(content.subarray(990))).toBe(true)
  })

  it.each(['bytes 0-999/1000', 'bytes 500-999/2000', 'bytes 500-998/1000', 'bytes 500-999/*', ''])(
    'refuse the content range %j for bytes from 500',
    async (range) => {
      const fetched = fetchBlob((_request, response) => {
        response.writeHead(206, { 'content-range': range }).end(content.subarray(500))
        return true
      }, 500)
      await expect(fetched).rejects.toMatchObject({ code: 'RESPONSE_INVALID' })
    },
  )

  it('stop at the first byte too many and at a lying length', async () => {
    for (const headers of [{}, { 'content-length': 1001 }]) {
      const fetched = fetchBlob((_request, response) => {
        response.writeHead(200, headers)
        response.end(Buffer.concat([content, Buffer.from('x')]))
        return true
      })
      await expect(fetched).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
    }
  })

  it('give up after six cuts without a new byte', async () => {
    let calls = 0
    const fetched = fetchBlob((_request, response) => {
      calls++
      response.writeHead(200, { 'content-length': 1000 })
      response.flushHeaders()
      response.destroy()
      return true
    })
    await expect(fetched).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(calls).toBe(6)
  })
})

describe('mirrors', () => {
  it('are asked first, and the registry itself when they fail or lie', async () => {
    await using origin = await startMemoryRegistry()
    await using broken = await startMemoryRegistry()
    await using good = await startMemoryRegistry()
    const blob = good.addBlob(content)
    origin.blobs.set(blob.digest, content)
    const manifest = origin.addManifest(
      '{"schemaVersion":2}',
      mediaTypes.ociManifest,
      'team/demo:1',
    )
    good.manifests.set(manifest.digest, {
      bytes: Buffer.from('{"schemaVersion":3}'),
      mediaType: mediaTypes.ociManifest,
    })
    broken.intercept = (_request, response) => {
      response.writeHead(500).end()
      return true
    }
    await using remote = createRemote({
      settings: {
        ...defaultSettings,
        rules: [
          {
            prefix: origin.host,
            mirrors: [{ host: broken.host }, { host: good.host, namespaceQuery: true }],
          },
        ],
      },
      credentials: noCredentials,
      userAgent: 'test',
      clock: fakeClock(),
    })
    const repository = remote.repository({ registry: origin.host, repository: 'team/demo' })
    expect((await readAll(await repository.open(blob))).equals(content)).toBe(true)
    expect(good.requests).toContain(
      `GET /v2/team/demo/blobs/${blob.digest}?ns=${encodeURIComponent(origin.host)}`,
    )
    expect(origin.requests).toEqual([])
    expect((await repository.fetchManifest(manifest.digest)).bytes.toString()).toBe(
      Buffer.from('{"schemaVersion":2}').toString(),
    )
    await readAll(await repository.open(blob))
    expect(origin.requests.some((line) => line.includes('/blobs/'))).toBe(true)
  })
})

describe('fetchManifest', () => {
  it('catches a digest that does not fit the bytes', async () => {
    await using registry = await startMemoryRegistry()
    const real = registry.addManifest('{"schemaVersion":2}', mediaTypes.ociManifest, 'team/demo:1')
    registry.intercept = (request, response) => {
      if (!request.url?.includes('/manifests/')) return false
      response.writeHead(200, {
        'content-type': mediaTypes.ociManifest,
        'docker-content-digest': real.digest,
      })
      response.end(request.method === 'HEAD' ? undefined : '{"schemaVersion":1}')
      return true
    }
    await using opened = openRepository(registry)
    for (const reference of ['1', real.digest]) {
      await expect(opened.repository.fetchManifest(reference)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      })
      await expect(opened.repository.resolve(reference)).rejects.toMatchObject({
        code: 'DIGEST_MISMATCH',
      })
    }
  })

  it('finds the type of a manifest whose server does not tell', async () => {
    await using registry = await startMemoryRegistry()
    const text = '{"schemaVersion":2,"manifests":[]}'
    registry.addManifest(text, 'text/plain', 'team/demo:1')
    await using opened = openRepository(registry)
    expect((await opened.repository.resolve('1')).mediaType).toBe(mediaTypes.ociIndex)
  })

  it('refuses what is neither tag nor digest before anything is sent', async () => {
    await using registry = await startMemoryRegistry()
    await using opened = openRepository(registry)
    await expect(opened.repository.resolve('../../x')).rejects.toMatchObject({
      code: 'REFERENCE_INVALID',
    })
    expect(registry.requests).toEqual([])
  })
})

describe('tags', () => {
  it.each([
    ['another host', '<http://evil.test/v2/team/demo/tags/list>; rel="next"'],
    ['itself', '</v2/team/demo/tags/list?n=1000>; rel="next"'],
  ])('do not follow a next link to %s', async (_name, link) => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (request, response) => {
      if (!request.url?.includes('/tags/')) return false
      response.writeHead(200, { link }).end('{"tags":["a"]}')
      return true
    }
    await using opened = openRepository(registry)
    await expect(Array.fromAsync(opened.repository.tags())).rejects.toMatchObject({
      code: 'RESPONSE_INVALID',
    })
  })
})
