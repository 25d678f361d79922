import { type Bytes, type Descriptor, isKatmanError } from '@katman/oci'
import { sizeMismatch } from '@katman/transfer'
import type { HttpResponse } from './http.ts'
import { type Exchange, networkError, responseInvalid } from './network-error.ts'
import type { Retry } from './retry.ts'

/** An answer to a request for content from some byte on. */
export interface RangeAnswer {
  readonly response: HttpResponse
  readonly exchange: Exchange
}

export interface RangeStreamOptions {
  readonly descriptor: Descriptor
  readonly start: number
  /** What messages call the origin. */
  readonly name: string
  readonly retry: Retry
  /** The answer that is there already. */
  readonly first: RangeAnswer
  /** Asks again from byte `start`; `etag` is the validator of the earlier answer. */
  readonly reopen: (start: number, etag: string | undefined) => Promise<RangeAnswer>
}

/**
 * Content as one stream, whatever the connection does: after a cut it goes on from the last byte with `Range`
 * and `If-Range`. An answer with 200 is read again from the start and what is known is dropped.
 * Throws `SIZE_MISMATCH` at the first byte too many, and when there is no more hope what broke last.
 */
export async function* rangeStream(options: RangeStreamOptions): Bytes {
  const { descriptor, retry } = options
  let at = options.start
  let answer: RangeAnswer | undefined = options.first
  let etag: string | undefined
  for (;;) {
    try {
      answer ??= await options.reopen(at, etag)
      etag = strongEtag(answer.response)
      for await (const chunk of fromOffset(answer, descriptor, at, options.name)) {
        at += chunk.byteLength
        retry.progress()
        yield chunk
      }
      if (at === descriptor.size) return
      throw networkError(new Error('the body ended early'), answer.exchange)
    } catch (error) {
      if (!isKatmanError(error)) throw error
      answer?.response.discard()
      answer = undefined
      if (at === descriptor.size) return
      await retry.afterFailure(error)
    }
  }
}

/** The bytes of an answer from `start` on; throws before the first one when the answer is about other bytes. */
async function* fromOffset(
  answer: RangeAnswer,
  descriptor: Descriptor,
  start: number,
  name: string,
): Bytes {
  const { response, exchange } = answer
  const { size } = descriptor
  let at = 0
  if (response.status === 206) {
    const range = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(
      response.headers.get('content-range') ?? '',
    )
    const [first, last, total] = [Number(range?.[1]), Number(range?.[2]), Number(range?.[3])]
    if (range === null || first !== start || total !== size || last !== size - 1) {
      throw responseInvalid(
        exchange,
        `content range ${JSON.stringify(response.headers.get('content-range') ?? '').slice(0, 80)} is not the rest from byte ${start} of ${size}`,
      )
    }
    at = start
  } else {
    const length = response.headers.get('content-length')
    if (length !== undefined && Number(length) !== size)
      throw sizeMismatch(descriptor, Number(length), name)
  }
  for await (const chunk of response.body) {
    const end = at + chunk.byteLength
    if (end > size) throw sizeMismatch(descriptor, end, name)
    if (end > start) yield at >= start ? chunk : chunk.subarray(start - at)
    at = end
  }
}

function strongEtag(response: HttpResponse): string | undefined {
  const etag = response.headers.get('etag')
  return etag !== undefined && /^"[\u0021\u0023-\u007e]{1,256}"$/.test(etag) ? etag : undefined
}
