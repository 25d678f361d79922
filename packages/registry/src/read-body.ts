import type { RegistryRequest } from './http.ts'
import { Refusal } from './refusal.ts'

const maxFormBytes = 32 * 1024

/**
 * The whole body of a request, which is small.
 *
 * @param what is too large, in the refusal: `a manifest`. Default `the body`.
 * @throws Refusal 413 when it has more than so many bytes.
 */
export async function readWholeBody(
  request: RegistryRequest,
  limitBytes: number,
  what = 'the body',
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > limitBytes) {
      throw new Refusal(413, 'SIZE_INVALID', `${what} has at most ${limitBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** @throws Refusal 413 when it is too large. */
export async function readForm(request: RegistryRequest): Promise<URLSearchParams> {
  return new URLSearchParams((await readWholeBody(request, maxFormBytes)).toString('utf8'))
}
