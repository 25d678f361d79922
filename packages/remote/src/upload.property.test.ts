import { createHash } from 'node:crypto'
import { isKatmanError } from '@katman/oci'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../test/memory-registry.ts'
import { openRepository } from '../test/support.ts'
import type { HttpRequest, HttpResponse, HttpTransport } from './http.ts'
import { networkError } from './network-error.ts'
import { largeBlobBytes } from './upload.ts'

// Uploads to a registry in this process that goes wrong as it is told to, request by request. Whatever happens: it ends,
// no wrong byte is stored, and a few troubles in a row do not stop it.

const troubles = [
  'fine',
  'cut before it is heard',
  'cut after half of the body',
  'answer lost',
  'server error',
  'session lost',
  'nothing of the body kept',
  'no range told',
  'wrong range told',
  'not this way',
  'wrong place',
  'too large',
  'body changed',
  'session instead',
] as const
type Trouble = (typeof troubles)[number]

interface Two {
  readonly before: number
  readonly first: Trouble
  readonly between: number
  readonly second: Trouble
}

const sizes = { small: 400_000, large: largeBlobBytes + 70_000 } as const
const contents = {
  small: createHash('shake256', { outputLength: sizes.small }).update('s').digest(),
  large: createHash('shake256', { outputLength: sizes.large }).update('l').digest(),
}

/** A way is refused once, and what is tried instead is too large once. Too rare to be left to chance. */
const refusedAndTooLarge = (
  [
    [0, 'not this way', 0],
    [1, 'not this way', 1],
    [1, 'nothing of the body kept', 1],
    [1, 'body changed', 2],
    [2, 'not this way', 1],
  ] as const
).map(([before, first, between]): [Two] => [{ before, first, between, second: 'too large' }])

describe('an upload to a registry that goes wrong', () => {
  it.each([
    ['small', 200],
    ['large', 50],
  ] as const)('of a %s blob ends, and stores it or says why not', async (size, numRuns) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...troubles), { maxLength: 40 }),
        async (script) => {
          await upload(contents[size], script)
        },
      ),
      { numRuns },
    )
  })

  it.each([
    ['small', 200],
    ['large', 50],
  ] as const)('of a %s blob stands two troubles, whatever they are', async (size, numRuns) => {
    const place = fc.record({
      before: fc.nat(6),
      first: fc.constantFrom(...troubles),
      between: fc.nat(4),
      second: fc.constantFrom(...troubles),
    })
    await fc.assert(
      fc.asyncProperty(place, async ({ before, first, between, second }) => {
        const fine = (count: number): readonly Trouble[] =>
          Array.from({ length: count }, () => 'fine')
        const script = [...fine(before), first, ...fine(between), second]
        expect(await upload(contents[size], script)).toBe('ok')
      }),
      { numRuns, examples: refusedAndTooLarge },
    )
  })

  it.each([
    ['small', 200],
    ['large', 40],
  ] as const)('of a %s blob ends, whatever is refused for ever', async (size, numRuns) => {
    // The rules that send an upload from one way to another come more often than the others.
    const detours = fc.constantFrom<Trouble>('not this way', 'session instead')
    const rule = fc.oneof(detours, fc.constantFrom(...troubles))
    const always = fc.record(Object.fromEntries(steps.map((step) => [step, rule])))
    await fc.assert(
      fc.asyncProperty(always, async (rules) => {
        await upload(contents[size], [], rules)
      }),
      { numRuns },
    )
  })
})

/** `ok` or the code of the error; looks that it is true. */
async function upload(
  bytes: Buffer,
  script: readonly Trouble[],
  always: Always = {},
): Promise<string> {
  const registry = createBadRegistry(script, always)
  const digest = digestOf(bytes)
  await using opened = openRepository({ host: 'registry.example' }, { transport: registry })
  const write = opened.repository.write(
    { mediaType: 'application/octet-stream', digest, size: bytes.byteLength },
    async (start) =>
      (async function* () {
        for (let at = start; at < bytes.byteLength; at += 1_000_000) {
          yield bytes.subarray(at, Math.min(at + 1_000_000, bytes.byteLength))
        }
      })(),
  )
  const outcome = await write.then(
    () => 'ok',
    (error: unknown) => {
      if (isKatmanError(error)) return error.code
      throw error
    },
  )
  const found = registry.blob(digest)
  // It may be stored although the answer was lost for good, but never as something else.
  if (outcome === 'ok' || found !== undefined) expect(found?.equals(bytes)).toBe(true)
  return outcome
}

/** What a registry does to each request of a kind. */
type Always = Readonly<Partial<Record<string, Trouble>>>

function stepOf({ method, url, body }: HttpRequest): string {
  const size = body instanceof Uint8Array ? body.byteLength : body?.size
  return `${method} ${(size ?? 0) > 0 ? 'body' : 'empty'} ${url.searchParams.has('digest')}`
}

const steps = [
  'POST empty false',
  'POST body true',
  'PATCH body false',
  'PUT body true',
  'PUT empty true',
  'GET empty false',
] as const

interface BadRegistry extends HttpTransport {
  blob(digest: string): Buffer | undefined
}

function createBadRegistry(script: readonly Trouble[], always: Always): BadRegistry {
  const sessions = new Map<string, Buffer>()
  const blobs = new Map<string, Buffer>()
  let next = 0
  let requests = 0

  function answer(status: number, headers: Readonly<Record<string, string>> = {}): HttpResponse {
    return {
      status,
      reason: 'Status',
      headers: new Map(Object.entries(headers)),
      body: (async function* () {})(),
      remoteAddress: '203.0.113.1',
      discard() {},
    }
  }

  async function bodyOf(request: HttpRequest, trouble: Trouble): Promise<Buffer> {
    const { body } = request
    if (body === undefined) return Buffer.alloc(0)
    const whole =
      body instanceof Uint8Array
        ? Buffer.from(body)
        : Buffer.concat(await Array.fromAsync(body.open()))
    if (trouble === 'cut after half of the body') {
      return whole.subarray(0, Math.floor(whole.byteLength / 2))
    }
    if (trouble === 'nothing of the body kept') return Buffer.alloc(0)
    if (trouble === 'body changed' && whole.byteLength > 0) whole[0] = (whole[0] ?? 0) ^ 1
    return whole
  }

  function tell(status: number, id: string, trouble: Trouble): HttpResponse {
    const size = sessions.get(id)?.byteLength ?? 0
    const told = trouble === 'wrong range told' ? Math.floor(size / 2) : size
    const range = trouble === 'no range told' ? {} : { range: `0-${Math.max(0, told - 1)}` }
    return answer(status, {
      location: `/v2/team/demo/blobs/uploads/${id}?_state=${size}`,
      ...range,
    })
  }

  async function handle(request: HttpRequest, trouble: Trouble): Promise<HttpResponse> {
    const { method, url } = request
    if (url.pathname === '/v2/') return answer(200)
    const id = /uploads\/(\w+)$/.exec(url.pathname)?.[1] ?? ''
    if (trouble === 'server error') return answer(503)
    if (trouble === 'session lost') sessions.delete(id)
    const size = request.body instanceof Uint8Array ? request.body.byteLength : request.body?.size
    if (trouble === 'too large' && (size ?? 0) > 0) return answer(413)
    if (trouble === 'not this way' && method !== 'HEAD') return answer(405)
    if (trouble === 'wrong place' && method !== 'HEAD' && id !== '') return answer(416)
    if (method === 'HEAD') {
      const blob = blobs.get(url.pathname.split('/').at(-1) ?? '')
      return blob === undefined
        ? answer(404)
        : answer(200, { 'content-length': String(blob.byteLength) })
    }
    const isWhole = url.searchParams.has('digest') && trouble !== 'session instead'
    if (method === 'POST' && !isWhole) {
      const made = `s${sessions.size}${next}`
      sessions.set(made, Buffer.alloc(0))
      return tell(202, made, 'fine')
    }
    if (method === 'POST') return commit(await bodyOf(request, trouble), url)
    const known = sessions.get(id)
    if (known === undefined) return answer(404)
    if (method === 'GET') return tell(204, id, trouble)
    const start = /^\d+/.exec(request.headers?.['content-range'] ?? '')
    if (start !== null && Number(start[0]) !== known.byteLength) return answer(416)
    const bytes = Buffer.concat([known, await bodyOf(request, trouble)])
    sessions.set(id, bytes)
    if (trouble === 'cut after half of the body') throw lost(request)
    if (method === 'PATCH') return tell(202, id, trouble)
    sessions.delete(id)
    return commit(bytes, url)
  }

  function commit(bytes: Buffer, url: URL): HttpResponse {
    const digest = url.searchParams.get('digest') ?? ''
    if (digestOf(bytes) !== digest) return answer(400)
    blobs.set(digest, bytes)
    return answer(201)
  }

  return {
    blob: (digest) => blobs.get(digest),
    async send(request) {
      if (++requests > 400) throw new Error('the upload has no end')
      // The way to the registry is found before anything goes wrong.
      const trouble =
        request.url.pathname === '/v2/'
          ? 'fine'
          : (script[next++] ?? always[stepOf(request)] ?? 'fine')
      if (trouble === 'cut before it is heard') throw lost(request)
      const found = await handle(request, trouble)
      if (trouble === 'answer lost') throw lost(request)
      return found
    },
    async [Symbol.asyncDispose]() {},
  }
}

function lost(request: HttpRequest): Error {
  return networkError(new Error('aborted'), request)
}
