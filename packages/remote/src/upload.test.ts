import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import {
  digestOf,
  fail,
  type Handler,
  type MemoryRegistry,
  startMemoryRegistry,
} from '../test/memory-registry.ts'
import { openRepository } from '../test/support.ts'
import type { UploadLedger } from './upload-ledger.ts'
import { parseUploadRange } from './upload-session.ts'

const size = 5 * 1024 * 1024
const large = createHash('shake256', { outputLength: size }).update('upload').digest()
const small = large.subarray(0, 100_000)
const third = Math.floor(size / 3)

describe('an upload', () => {
  it('of a small blob is one PUT, of a large one a stream and a closing PUT', async () => {
    await using registry = await startMemoryRegistry()
    await upload(registry, small)
    expect(methods(registry)).toEqual(['POST', 'PUT'])
    await upload(registry, large)
    expect(methods(registry)).toEqual(['POST', 'PUT', 'POST', 'PATCH', 'PUT'])
  })

  it.each([
    ['cut', third],
    ['cut before its first byte', 0],
  ])('goes on where the registry stands when the stream is %s', async (_, kept) => {
    await using registry = await startMemoryRegistry()
    const ranges: unknown[] = []
    let cuts = 0
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH') return false
      ranges.push(request.headers['content-range'])
      if (cuts++ > 0) return false
      await keepPart(registry, request, kept)
      response.destroy()
      return true
    }
    const { opened } = await upload(registry, large)
    expect(methods(registry)).toEqual(['POST', 'PATCH', 'GET', 'PATCH', 'PUT'])
    expect(ranges).toEqual([undefined, kept === 0 ? undefined : `${kept}-${size - 1}`])
    expect(opened).toEqual([0, kept])
  })

  it('believes the registry about what it kept, not itself about what it sent', async () => {
    await using registry = await startMemoryRegistry()
    let patches = 0
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH' || patches++ > 0) return false
      const id = idOf(request)
      const bytes = await readAll(request)
      // All of it came, a part is kept, and the answer says so.
      registry.uploads.set(id, bytes.subarray(0, third))
      response.writeHead(202, { location: request.url, range: `0-${third - 1}` }).end()
      return true
    }
    const { opened } = await upload(registry, large)
    expect(opened).toEqual([0, third])
  })

  it('is sent at once where a registry keeps one byte of each stream', async () => {
    await using registry = await startMemoryRegistry()
    // A range of `0-0` says nothing at all.
    let kept = 1
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH') return false
      const id = idOf(request)
      await readAll(request)
      kept++
      registry.uploads.set(id, large.subarray(0, kept))
      response.writeHead(202, { location: request.url, range: `0-${kept - 1}` }).end()
      return true
    }
    await upload(registry, large)
    expect(methods(registry).filter((method) => method === 'PATCH')).toHaveLength(5)
    expect(methods(registry).slice(-2)).toEqual(['POST', 'PUT'])
  })

  it('that fails says why, though its entry cannot be given up', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (_, response) => {
      response.writeHead(403).end()
      return true
    }
    const { ledger } = memoryLedger()
    const broken: UploadLedger = {
      async take(wanted) {
        const entry = await ledger.take(wanted)
        if (entry === undefined) return undefined
        return { ...entry, release: async () => Promise.reject(new TypeError('disk')) }
      },
    }
    await expect(upload(registry, large, { ledger: broken })).rejects.toMatchObject({
      code: 'DENIED',
    })
  })

  it('goes on after a cut of the one PUT of a small blob', async () => {
    await using registry = await startMemoryRegistry()
    let cuts = 0
    registry.intercept = async (request, response) => {
      if (request.method !== 'PUT' || cuts++ > 0) return false
      await keepPart(registry, request, 40_000)
      response.destroy()
      return true
    }
    const { opened } = await upload(registry, small)
    expect(opened).toEqual([0, 40_000])
    expect(methods(registry)).toEqual(['POST', 'PUT', 'GET', 'PUT'])
  })

  it('uses the newest Location each time', async () => {
    await using registry = await startMemoryRegistry()
    await upload(registry, large)
    const [, patch, put] = registry.requests.filter((one) => one.includes('/uploads/'))
    expect(patch).toContain('?_state=x%2By0')
    expect(put).toContain(`?_state=x%2By${size}&digest=sha256%3A`)
  })

  it('begins anew when the registry has lost the session', async () => {
    await using registry = await startMemoryRegistry()
    let cuts = 0
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH' || cuts++ > 0) return false
      registry.uploads.clear()
      request.resume()
      response.destroy()
      return true
    }
    await upload(registry, large)
    expect(methods(registry)).toEqual(['POST', 'PATCH', 'GET', 'POST', 'PATCH', 'PUT'])
  })

  it('begins anew when the registry tells nothing useful', async () => {
    await using registry = await startMemoryRegistry()
    let cuts = 0
    registry.intercept = async (request, response) => {
      if (request.method === 'GET' && request.url?.includes('/uploads/')) {
        response.writeHead(200).end('{}')
        return true
      }
      if (request.method !== 'PATCH' || cuts++ > 0) return false
      await keepPart(registry, request, third)
      response.destroy()
      return true
    }
    await upload(registry, large)
    expect(methods(registry)).toEqual(['POST', 'PATCH', 'GET', 'POST', 'PATCH', 'PUT'])
  })

  it('goes on behind the last chunk of a registry that does not say where it stands', async () => {
    await using registry = await startMemoryRegistry()
    let sent = 0
    let cuts = 0
    registry.intercept = async (request, response) => {
      const { method, url, headers } = request
      const length = Number(headers['content-length'] ?? 0)
      if (method === 'GET' && url?.includes('/uploads/')) {
        fail(response, 405, 'UNSUPPORTED', 'no status here')
        return true
      }
      if (method !== 'PATCH') return false
      if (length > 2_000_000) {
        request.resume()
        fail(response, 413, 'UNKNOWN', 'too large')
        return true
      }
      sent += length
      if (!headers['content-range']?.startsWith('2') || cuts++ > 0) return false
      await readAll(request)
      response.destroy()
      return true
    }
    await upload(registry, large)
    expect(cuts).toBe(2)
    expect(sent).toBe(size + size / 4)
  })

  it('gives up after six lost sessions, with the last reason', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (request, response) => {
      if (request.method !== 'PATCH') return false
      registry.uploads.clear()
      request.resume()
      fail(response, 404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
      return true
    }
    await expect(upload(registry, large)).rejects.toMatchObject({
      code: 'REGISTRY_ERROR',
      details: { status: 404 },
    })
    expect(methods(registry).filter((method) => method === 'PATCH')).toHaveLength(6)
  })

  it('does not send again what was stored when only the answer was lost', async () => {
    await using registry = await startMemoryRegistry()
    let cuts = 0
    registry.intercept = async (request, response) => {
      if (request.method !== 'PUT' || cuts++ > 0) return false
      const id = idOf(request)
      registry.addBlob(Buffer.concat([registry.uploads.get(id) ?? small, await readAll(request)]))
      registry.uploads.delete(id)
      response.destroy()
      return true
    }
    await upload(registry, large)
    expect(methods(registry)).toEqual(['POST', 'PATCH', 'PUT', 'GET', 'HEAD'])
  })

  it.each([
    ['PATCH', 405, large, ['POST', 'PATCH', 'POST', 'PUT']],
    ['PATCH', 501, large, ['POST', 'PATCH', 'POST', 'PUT']],
    ['PATCH', 400, large, ['POST', 'PATCH', 'POST', 'PUT']],
    ['PUT with a body', 400, small, ['POST', 'PUT', 'POST', 'PATCH', 'PUT']],
    ['POST without a body', 405, small, ['POST', 'POST']],
    ['POST without a body', 501, large, ['POST', 'POST']],
  ] as const)('takes another way when %s is refused with %i', async (what, status, bytes, sent) => {
    await using registry = await startMemoryRegistry()
    registry.intercept = refusing(registry, what, status)
    await upload(registry, bytes)
    expect(methods(registry)).toEqual(sent)
  })

  it('tries each way once and no more when all are refused', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (request, response) => {
      const { method, url = '' } = request
      if (!url.includes('/uploads/')) return false
      request.resume()
      // A session is opened only for a request that could have done without.
      if (method === 'POST' && url.includes('digest=')) {
        response.writeHead(202, { location: '/v2/team/demo/blobs/uploads/1' }).end()
      } else {
        fail(response, 405, 'UNSUPPORTED', 'not this way')
      }
      return true
    }
    await expect(upload(registry, small)).rejects.toMatchObject({ details: { status: 405 } })
    expect(methods(registry).length).toBeLessThan(10)
  })

  it('sends all at once when chunks are taken and lost', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH') return false
      await readAll(request)
      response.writeHead(202, { location: request.url, range: '0-0' }).end()
      return true
    }
    await upload(registry, large)
    expect(methods(registry)).toEqual(['POST', 'PATCH', 'POST', 'PUT'])
  })

  it('sends smaller chunks when a body is too large, but none below the asked length', async () => {
    await using registry = await startMemoryRegistry()
    const lengths: number[] = []
    let least: number | undefined
    registry.intercept = (request, response) => {
      if (request.method === 'POST' && least !== undefined)
        response.setHeader('oci-chunk-min-length', least)
      const length = Number(request.headers['content-length'] ?? 0)
      if (request.method === 'PATCH') lengths.push(length)
      if (length <= 2_000_000) return false
      request.resume()
      fail(response, 413, 'UNKNOWN', 'too large')
      return true
    }
    await upload(registry, large)
    expect(lengths).toEqual([size, size / 2, size / 4, size / 4, size / 4, size / 4])
    registry.blobs.clear()
    least = 2_000_000
    lengths.length = 0
    await expect(upload(registry, large)).rejects.toMatchObject({ details: { status: 413 } })
    expect(lengths).toEqual([size, size / 2])
  })

  it('sends small chunks when a stream is refused and all at once is too large', async () => {
    await using registry = await startMemoryRegistry()
    const lengths: number[] = []
    registry.intercept = (request, response) => {
      const length = Number(request.headers['content-length'] ?? 0)
      if (request.method === 'PATCH') lengths.push(length)
      if (length < size) return false
      request.resume()
      if (request.method === 'PATCH') fail(response, 405, 'UNSUPPORTED', 'no streams')
      else fail(response, 413, 'UNKNOWN', 'too large')
      return true
    }
    await upload(registry, large)
    expect(methods(registry).join(' ')).toBe('POST PATCH POST PUT POST PATCH PATCH PUT')
    expect(lengths).toEqual([size, size / 2, size / 2])
  })

  it.each([
    ['PATCH', ['POST', 'PATCH', 'POST', 'PUT', 'POST', 'PATCH']],
    ['POST without a body', ['POST', 'POST', 'POST']],
  ] as const)(
    'says that it is too large when %s is always refused, and sends all only once',
    async (what, sent) => {
      await using registry = await startMemoryRegistry()
      const refuse = refusing(registry, what, 405)
      registry.intercept = (request, response) => {
        if (request.method === 'PATCH' || Number(request.headers['content-length'] ?? 0) < size)
          return refuse(request, response)
        request.resume()
        fail(response, 413, 'UNKNOWN', 'too large')
        return true
      }
      await expect(upload(registry, large)).rejects.toMatchObject({ details: { status: 413 } })
      expect(methods(registry)).toEqual(sent)
    },
  )

  it('finds its place again when the registry refuses a chunk for it', async () => {
    await using registry = await startMemoryRegistry()
    let patches = 0
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH' || patches++ > 0) return false
      await keepPart(registry, request, third)
      fail(response, 416, 'RANGE_INVALID', 'not here')
      return true
    }
    const { opened } = await upload(registry, large)
    expect(opened).toEqual([0, third])
  })

  it('waits for an earlier request that has not ended, but not for ever', async () => {
    await using registry = await startMemoryRegistry()
    registry.intercept = (request, response) => {
      if (request.method !== 'PATCH' || idOf(request) !== '1') return false
      request.resume()
      fail(response, 409, 'BLOB_UPLOAD_INVALID', 'another request writes to this upload')
      return true
    }
    await upload(registry, large)
    const ids = registry.requests.flatMap((one) => /^PATCH .*uploads\/(\d)/.exec(one)?.[1] ?? [])
    expect(ids).toEqual(['1', '1', '1', '1', '2'])
  })

  it('says what its own source failed with, and tries nothing else', async () => {
    await using registry = await startMemoryRegistry()
    const wrong = Buffer.from(large)
    wrong[third] = (wrong[third] ?? 0) ^ 1
    await expect(upload(registry, large, { sent: wrong })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect(methods(registry)).toEqual(['POST', 'PATCH'])
    expect(registry.blobs.size).toBe(0)
  })
})

describe('an upload that is remembered', () => {
  it('is gone on with by the next process, and forgotten at its end', async () => {
    await using registry = await startMemoryRegistry()
    const { ledger, kept } = memoryLedger()
    registry.intercept = async (request, response) => {
      if (request.method !== 'PATCH') return false
      await keepPart(registry, request, third)
      registry.intercept = (_, later) => {
        later.destroy()
        return true
      }
      response.destroy()
      return true
    }
    await expect(upload(registry, large, { ledger })).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
    expect([...kept.values()]).toEqual([expect.stringContaining('/blobs/uploads/1?_state=')])
    registry.intercept = undefined
    registry.requests.length = 0
    const { opened } = await upload(registry, large, { ledger })
    expect(opened).toEqual([third])
    expect(methods(registry)).toEqual(['GET', 'PATCH', 'PUT'])
    expect(kept.size).toBe(0)
  })

  it.each([
    ['http://127.0.0.1:1/gone'],
    ['no address'],
    ['http://user:secret@127.0.0.1/x'],
    ['UNKNOWN'],
  ])('is begun anew when %s was remembered', async (location) => {
    await using registry = await startMemoryRegistry()
    const { ledger, kept } = memoryLedger()
    const address =
      location === 'UNKNOWN' ? `${registry.url}/v2/team/demo/blobs/uploads/9` : location
    kept.set(`${registry.host} team/demo ${digestOf(large)}`, address)
    await upload(registry, large, { ledger })
    expect(methods(registry).slice(-3)).toEqual(['POST', 'PATCH', 'PUT'])
  })

  it('is sent whole when what an earlier process sent was wrong', async () => {
    await using registry = await startMemoryRegistry()
    const { ledger, kept } = memoryLedger()
    registry.uploads.set('7', Buffer.alloc(third))
    const address = `${registry.url}/v2/team/demo/blobs/uploads/7`
    kept.set(`${registry.host} team/demo ${digestOf(large)}`, address)
    await upload(registry, large, { ledger })
    expect(methods(registry)).toEqual(['GET', 'PATCH', 'PUT', 'POST', 'PUT'])
  })
})

describe('parseUploadRange', () => {
  it.each([
    ['0-99', 100],
    ['bytes=0-99', 100],
    ['bytes 0-99/200', 100],
    ['0-0', 0],
    ['0--1', 0],
    ['1-99', undefined],
    ['99', undefined],
    ['0-99999999999999999', undefined],
    [undefined, undefined],
  ])('reads %j as %j bytes', (header, bytes) => {
    expect(parseUploadRange(header)).toBe(bytes)
  })
})

/** Writes the bytes to `team/demo` and sees them stored; from where each reading of them began. */
async function upload(
  registry: MemoryRegistry,
  bytes: Buffer,
  options: { readonly ledger?: UploadLedger; readonly sent?: Buffer } = {},
): Promise<{ readonly opened: readonly number[] }> {
  const { ledger, sent = bytes } = options
  await using client = openRepository(
    registry,
    ledger === undefined ? {} : { uploadLedger: ledger },
  )
  const digest = digestOf(bytes)
  const opened: number[] = []
  await client.repository.write(
    { mediaType: 'application/octet-stream', digest, size: bytes.byteLength },
    async (start) => {
      opened.push(start)
      return (async function* () {
        for (let at = start; at < sent.byteLength; at += 300_000) {
          yield sent.subarray(at, Math.min(at + 300_000, sent.byteLength))
        }
      })()
    },
  )
  expect(registry.blobs.get(digest)?.equals(bytes)).toBe(true)
  return { opened }
}

/** The methods of the requests about blobs. */
function methods(registry: MemoryRegistry): readonly string[] {
  return registry.requests
    .filter((one) => one.includes('/blobs/'))
    .map((one) => one.split(' ')[0] ?? '')
}

/** Lets the registry have the first bytes of a request and no more. */
async function keepPart(
  registry: MemoryRegistry,
  request: IncomingMessage,
  count: number,
): Promise<void> {
  const id = idOf(request)
  const chunks: Buffer[] = []
  let got = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    got += chunk.byteLength
    if (got >= count) break
  }
  const known = registry.uploads.get(id) ?? Buffer.alloc(0)
  registry.uploads.set(id, Buffer.concat([known, Buffer.concat(chunks).subarray(0, count)]))
}

function idOf(request: IncomingMessage): string {
  return /uploads\/(\d+)/.exec(request.url ?? '')?.[1] ?? ''
}

function refusing(registry: MemoryRegistry, what: string, status: number): Handler {
  return async (request, response) => {
    const { method = '', url = '', headers } = request
    const hasBody = headers['content-length'] !== '0'
    if (method === 'POST' && url.includes('digest=')) {
      registry.addBlob(await readAll(request))
      response.writeHead(201).end()
      return true
    }
    const isRefused =
      what === 'PATCH'
        ? method === 'PATCH'
        : what === 'PUT with a body'
          ? method === 'PUT' && hasBody
          : method === 'POST'
    if (!isRefused) return false
    request.resume()
    fail(response, status, 'UNSUPPORTED', 'not this way')
    return true
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function memoryLedger(): { readonly ledger: UploadLedger; readonly kept: Map<string, string> } {
  const kept = new Map<string, string>()
  return {
    kept,
    ledger: {
      async take({ registry, repository, digest }) {
        const key = `${registry} ${repository} ${digest}`
        return {
          location: kept.get(key),
          async remember(location) {
            kept.set(key, location)
          },
          async release({ keep }) {
            if (!keep) kept.delete(key)
          },
        }
      },
    },
  }
}
