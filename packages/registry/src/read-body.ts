import type { RegistryRequest } from '../http.ts'
import { Refusal } from '../refusal.ts'

const maxBytes = 32 * 1024

/** @throws Refusal 413 when it is too large. */
export async function readForm(request: RegistryRequest): Promise<URLSearchParams> {
  const text = await readText(request, maxBytes)
  return new URLSearchParams(text)
}

/** The body as text. @throws Refusal 413 when it is larger than this many bytes. */
export async function readText(request: RegistryRequest, limitBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > limitBytes) throw new Refusal(413, 'SIZE_INVALID', 'the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
