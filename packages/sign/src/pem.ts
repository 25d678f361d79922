import { KatmanError } from '@katman/oci'

/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** `PUBLIC KEY`, `CERTIFICATE`, … */
  readonly label: string
  readonly bytes: Uint8Array
  /** The block as it stood in the file. */
  readonly text: string
}

const maxPemBytes = 1024 * 1024
const block = /-----BEGIN ([A-Z0-9 ]{1,64})-----\s([A-Za-z0-9+/=\s]*)-----END \1-----/g

/** The blocks of a PEM file of at most 1 MiB; `what` names it in errors. Throws `KEY_INVALID` when there is none. */
export function parsePem(text: string, what: string): readonly PemBlock[] {
  if (text.length > maxPemBytes) throw keyInvalid(what, 'it is larger than 1 MiB')
  const blocks = Array.from(text.matchAll(block), ([whole, label = '', body = '']) => ({
    label,
    bytes: Buffer.from(body, 'base64'),
    text: whole,
  }))
  if (blocks.length === 0) throw keyInvalid(what, 'it holds no PEM block')
  return blocks
}

/** A PEM block with lines of 64 characters and a line feed at its end. */
export function formatPem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** The error for a key, or a file of keys, that cannot be used. */
export function keyInvalid(what: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('KEY_INVALID', `${what}: ${reason}`, {
    hint: 'make a pair with: katman generate-key-pair',
    details: { what, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
