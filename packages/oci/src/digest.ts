import { KatmanError } from './error.ts'

declare const digestBrand: unique symbol

/** A checked content digest, `algorithm:hex`. Only {@link parseDigest} makes one. */
export type Digest = string & { readonly [digestBrand]: true }

export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512'

const hexLengths: Readonly<Record<DigestAlgorithm, number>> = {
  sha256: 64,
  sha384: 96,
  sha512: 128,
}

const shape = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/

/**
 * Parses a digest with a registered algorithm (image-spec, descriptor.md, "Digests").
 * Throws `DIGEST_INVALID` for anything but lower-case hex of the exact length, and
 * `DIGEST_UNSUPPORTED` for another algorithm.
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  const algorithm = text.length <= 256 ? shape.exec(text)?.[1] : undefined
  if (algorithm === undefined || isAlgorithm(algorithm)) throw invalid(text)
  throw new KatmanError('DIGEST_UNSUPPORTED', `unsupported digest algorithm in ${quote(text)}`, {
    hint: 'use sha256, sha384 or sha512',
    details: { digest: text },
  })
}

/** Makes no error for a text that is none: a server asks this of every reference. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':')
  const algorithm = text.slice(0, Math.max(0, colon))
  if (!isAlgorithm(algorithm) || text.length !== colon + 1 + hexLengths[algorithm]) return false
  for (let at = colon + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isHex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66)
    if (!isHex) return false
  }
  return true
}

/** The algorithm of a digest. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm
}

/** The hex part of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** The first 12 hex characters: docker's short id. */
export function shortDigest(digest: Digest): string {
  return digestHex(digest).slice(0, 12)
}

function isAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(hexLengths, text)
}

function invalid(text: string): KatmanError {
  return new KatmanError('DIGEST_INVALID', `invalid digest ${quote(text)}`, {
    hint: 'a digest is an algorithm, a colon and lower-case hex: sha256:<64 hex>',
    details: { digest: text.slice(0, 256) },
  })
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
