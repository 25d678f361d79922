import { createHash } from 'node:crypto'
import {
  type Bytes,
  type Descriptor,
  digestAlgorithm,
  digestHex,
  KatmanError,
  maxDocumentBytes,
} from '@katman/oci'
import type { CallOptions, Source } from './place.ts'

/**
 * Passes bytes on and throws at the end when they are not the described content:
 * `SIZE_MISMATCH` (at the first byte too many, or when the stream ends early), `DIGEST_MISMATCH`.
 * `from` names the origin in the message.
 */
export async function* verified(source: Bytes, expected: Descriptor, from: string): Bytes {
  const hash = createHash(digestAlgorithm(expected.digest))
  let size = 0
  for await (const chunk of source) {
    size += chunk.byteLength
    if (size > expected.size) throw sizeMismatch(expected, size, from)
    hash.update(chunk)
    yield chunk
  }
  if (size !== expected.size) throw sizeMismatch(expected, size, from)
  const actual = hash.digest('hex')
  if (actual !== digestHex(expected.digest)) throw digestMismatch(expected, actual, from)
}

/** Reads a small document whole, verified. Throws `DOCUMENT_TOO_LARGE` beyond 4 MiB. */
export async function readVerified(
  source: Pick<Source, 'name' | 'open'>,
  descriptor: Descriptor,
  options: CallOptions = {},
): Promise<Uint8Array> {
  if (descriptor.size > maxDocumentBytes) {
    throw new KatmanError(
      'DOCUMENT_TOO_LARGE',
      `${descriptor.mediaType} ${descriptor.digest} has ${descriptor.size} bytes, more than ${maxDocumentBytes}`,
      { details: { digest: descriptor.digest, size: descriptor.size, place: source.name } },
    )
  }
  const chunks: Uint8Array[] = []
  const bytes = await source.open(descriptor, options)
  for await (const chunk of verified(bytes, descriptor, source.name)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The error for content whose hash is not its name. */
export function digestMismatch(expected: Descriptor, actualHex: string, from: string): KatmanError {
  return new KatmanError(
    'DIGEST_MISMATCH',
    `${from}: content of ${expected.digest} is ${digestAlgorithm(expected.digest)}:${actualHex}`,
    {
      hint: 'the bytes were changed on the way or at the source; try again or ask its owner',
      details: { digest: expected.digest, mediaType: expected.mediaType, place: from },
    },
  )
}

/** The error for content that is shorter or longer than its descriptor says. */
export function sizeMismatch(expected: Descriptor, actual: number, from: string): KatmanError {
  const found = actual > expected.size ? `more than ${expected.size}` : `only ${actual}`
  return new KatmanError(
    'SIZE_MISMATCH',
    `${from}: content of ${expected.digest} has ${found} bytes, its descriptor says ${expected.size}`,
    {
      hint: 'the transfer was cut or the source lies about the size; try again',
      details: { digest: expected.digest, size: expected.size, actual, place: from },
    },
  )
}
