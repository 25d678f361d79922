import {
  altered,
  cut,
  flipped,
  redirected,
  refusal,
  reset,
  stalled,
  withoutLength,
} from '../hostile/faults.ts'
import type { Fault } from '../hostile/hostile-registry.ts'
import {
  badChunks,
  changed,
  dripped,
  halfTaken,
  oldServer,
  silent,
  slowAnswer,
  slowReader,
  twoLengths,
} from './wire-faults.ts'

/** One way in which a network or a server goes wrong between a client and a registry. */
export interface FaultKind {
  readonly name: string
  /** What happens to an answer. */
  readonly answer?: Fault
  /** What happens to a body on its way to the registry. */
  readonly body?: Fault
  /** How often. Default: for ever. */
  readonly times?: number
  /** What becomes of it, as {@link FaultTable.row} writes it: of a pull and of a push. */
  readonly outcome: string | { readonly pull: string; readonly push: string }
  /** Nothing comes for a long time: the client has to have little patience. */
  readonly isSlow?: true
  /** One cut: what has arrived is not sent again. */
  readonly isCut?: true
  /** What the question for the rest meets: the same request again, or the status of an upload. */
  readonly rest?: { readonly pull: Fault; readonly push: Fault }
}

const once = { times: 1 } as const
const half = (bytes: Buffer): number => Math.floor(bytes.byteLength / 2)

/** An answer cut in the middle, wherever that is. */
function atHalf(fault: (after: number) => Fault): Fault {
  return async (exchange) => {
    const answer = await exchange.honest()
    await fault(half(answer.body))({ ...exchange, honest: async () => answer })
  }
}

const flippedAtHalf: Fault = atHalf((position) => flipped(position))
const otherBytes = altered(({ body }) => ({ body: Buffer.alloc(body.byteLength, 'x') }))
const flippedBody = changed((chunk, at) => {
  if (at === 0) chunk[0] = (chunk[0] ?? 0) ^ 1
  return chunk
})
const otherBody = changed((chunk) => chunk.fill('x'))
const isRelative = (path: string): string => `${path}${path.includes('?') ? '&' : '?'}again=1`

/** Faults of the head of an answer, its status and its redirects: they can meet every request. */
export const answerFaults: readonly FaultKind[] = [
  { name: 'no answer', outcome: 'ok', isSlow: true, answer: silent, ...once },
  { name: 'no answer, ever', outcome: 'TIMEOUT', isSlow: true, answer: silent },
  { name: 'head of 1 byte at a time', outcome: 'ok', isSlow: true, answer: dripped, ...once },
  {
    name: 'head of 64 KiB',
    outcome: 'RESPONSE_INVALID',
    answer: altered(({ headers }) => ({ headers: { ...headers, 'x-long': 'x'.repeat(65_536) } })),
  },
  {
    name: 'chunks that are none',
    outcome: { pull: 'RESPONSE_INVALID', push: 'ok; RESPONSE_INVALID: token' },
    answer: badChunks,
  },
  { name: 'two lengths', outcome: 'RESPONSE_INVALID', answer: twoLengths },
  { name: 'HTTP/1.0, end by close', outcome: 'ok', answer: oldServer },
  {
    name: '401 again and again',
    outcome: { pull: 'UNAUTHORIZED', push: 'UNAUTHORIZED; ok: mount' },
    answer: refusal(401, 'UNAUTHORIZED'),
  },
  {
    name: '403',
    outcome: { pull: 'DENIED', push: 'DENIED; ok: mount' },
    answer: refusal(403, 'DENIED'),
  },
  {
    name: '404, then right',
    outcome: {
      pull: 'MANIFEST_UNKNOWN; BLOB_UNKNOWN: config layer; REGISTRY_ERROR: token; ok: tag',
      push: 'REGISTRY_ERROR; ok: ask blob stream close',
    },
    answer: refusal(404, 'UNKNOWN'),
    ...once,
  },
  { name: '408', outcome: 'ok', answer: refusal(408, 'UNKNOWN'), ...once },
  {
    name: '416',
    outcome: { pull: 'REGISTRY_ERROR; ok: tag', push: 'REGISTRY_ERROR; ok: blob stream close' },
    answer: refusal(416, 'RANGE_INVALID'),
    ...once,
  },
  { name: '429', outcome: 'ok', answer: refusal(429, 'TOOMANYREQUESTS'), ...once },
  { name: '429, Retry-After: 0', outcome: 'ok', answer: later('0'), ...once },
  { name: '429, Retry-After: 2', outcome: 'ok', answer: later('2'), ...once },
  {
    name: '429, Retry-After: a date',
    outcome: 'ok',
    answer: later('Thu, 01 Jan 2026 00:00:20 GMT'),
    ...once,
  },
  {
    name: '429, Retry-After: 10^9',
    outcome: { pull: 'TOO_MANY_REQUESTS; ok: tag', push: 'TOO_MANY_REQUESTS' },
    answer: later('1000000000'),
    ...once,
  },
  { name: '500, three times', outcome: 'ok', answer: refusal(500, 'UNKNOWN'), times: 3 },
  { name: '500, ever', outcome: 'REGISTRY_ERROR', answer: refusal(500, 'UNKNOWN') },
  { name: '502', outcome: 'ok', answer: refusal(502, 'UNKNOWN'), ...once },
  { name: '503', outcome: 'ok', answer: refusal(503, 'UNAVAILABLE'), ...once },
  { name: '504', outcome: 'ok', answer: refusal(504, 'UNKNOWN'), ...once },
  { name: '522', outcome: 'ok', answer: refusal(522, 'UNKNOWN'), ...once },
  { name: 'redirect to itself', outcome: 'REDIRECT_REFUSED', answer: redirected((path) => path) },
  {
    name: 'redirects, 11 hops',
    outcome: 'REDIRECT_REFUSED',
    answer: redirected(isRelative),
    times: 11,
  },
  {
    name: 'redirect, relative',
    outcome: { pull: 'ok', push: 'ok; REDIRECT_REFUSED: blob stream' },
    answer: redirected(isRelative),
    ...once,
  },
  {
    name: 'redirect to a dead host',
    outcome: {
      pull: 'CONNECTION_REFUSED',
      push: 'REDIRECT_REFUSED; CONNECTION_REFUSED: token ask',
    },
    answer: redirected('http://127.0.0.1:1/gone'),
  },
  {
    name: 'gzip nobody asked for',
    outcome: 'RESPONSE_INVALID; ok: token',
    answer: altered(({ headers }) => ({ headers: { ...headers, 'content-encoding': 'gzip' } })),
  },
]

/** Faults of a body, in the answer or on the way to the registry. */
export const bodyFaults: readonly FaultKind[] = [
  {
    name: 'cut in the middle',
    outcome: 'ok',
    answer: atHalf(cut),
    body: halfTaken('end'),
    ...once,
    isCut: true,
  },
  {
    name: 'reset in the middle',
    outcome: 'ok',
    answer: atHalf(reset),
    body: halfTaken('reset'),
    ...once,
    isCut: true,
  },
  {
    name: 'stall in the middle',
    outcome: 'ok',
    isSlow: true,
    answer: atHalf(stalled),
    body: halfTaken('stall'),
    ...once,
    isCut: true,
  },
  {
    name: 'cut in the middle, ever',
    outcome: 'CONNECTION_LOST',
    answer: atHalf(cut),
    body: halfTaken('end'),
  },
  {
    name: 'more bytes than there are',
    outcome: { pull: 'SIZE_MISMATCH; JSON_INVALID: token', push: 'JSON_INVALID' },
    answer: withoutLength((body) => Buffer.concat([body, Buffer.from('xxx')])),
  },
  {
    name: 'wrong length',
    outcome: { pull: 'SIZE_MISMATCH; RESPONSE_INVALID: token', push: 'RESPONSE_INVALID' },
    answer: altered(({ headers, body }) => ({
      headers: { ...headers, 'content-length': String(body.byteLength - 1) },
    })),
  },
  {
    name: 'wrong bytes, right length',
    outcome: {
      pull: 'DIGEST_MISMATCH; JSON_INVALID: token',
      push: 'ok; JSON_INVALID: token; REGISTRY_ERROR: manifest tag',
    },
    answer: otherBytes,
    body: otherBody,
  },
  {
    name: 'wrong bytes, once',
    outcome: {
      pull: 'ok; JSON_INVALID: token',
      push: 'ok; JSON_INVALID: token; REGISTRY_ERROR: manifest tag',
    },
    answer: otherBytes,
    body: otherBody,
    ...once,
  },
  {
    name: 'one bit turned, once',
    outcome: { pull: 'ok', push: 'ok; REGISTRY_ERROR: manifest tag' },
    answer: flippedAtHalf,
    body: flippedBody,
    ...once,
  },
  {
    name: '500 bytes a second',
    outcome: 'ok',
    isSlow: true,
    answer: slowAnswer,
    body: slowReader,
    ...once,
  },
]

/** Faults of the question where to go on: they need a cut before. */
export const resumeFaults: readonly FaultKind[] = [
  {
    name: '200 for a Range',
    outcome: 'ok',
    answer: atHalf(cut),
    body: halfTaken('end'),
    ...once,
    rest: {
      pull: async ({ honest, send }) => send(await honest({ range: false })),
      push: altered(({ headers }) => ({ headers: { ...headers, range: '' } })),
    },
  },
  {
    name: '206 from another byte',
    outcome: { pull: 'RESPONSE_INVALID', push: 'ok' },
    answer: atHalf(cut),
    body: halfTaken('end'),
    ...once,
    rest: {
      pull: altered(({ headers, body }) => ({
        headers: { ...headers, 'content-range': `bytes 17-${body.byteLength + 16}/999999` },
      })),
      push: altered(({ headers }) => ({ headers: { ...headers, range: '0-16' } })),
    },
  },
]

function later(value: string): Fault {
  return refusal(429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': value })
}

/** What should become of a fault. */
export function expectedOutcome({ outcome }: FaultKind, of: 'pull' | 'push'): string {
  return typeof outcome === 'string' ? outcome : outcome[of]
}
