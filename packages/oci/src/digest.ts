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
  const match = text.length <= 256 ? shape.exec(text) : null
  if (match === null) throw invalid(text)
  const [, algorithm = '', hex = ''] = match
  if (!isAlgorithm(algorithm)) {
    throw new KatmanError('DIGEST_UNSUPPORTED', `unsupported digest algorithm in ${quote(text)}`, {
      hint: 'use sha256, sha384 or sha512',
      details: { digest: text },
    })
  }
  if (hex.length !== hexLengths[algorithm] || !/^[a-f0-9]+$/.test(hex)) throw invalid(text)
  return text as Digest
}

export function isDigest(text: string): text is Digest {
  try {
    parseDigest(text)
    return true
  } catch {
    return false
  }
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
