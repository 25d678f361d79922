import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { type Descriptor, type Digest, isKatmanError, KatmanError } from '@katman/oci'
import type { CallOptions, Source } from '@katman/transfer'
import { verifyBytes } from './keys.ts'
import { parseClaim, type SignedClaim } from './simple-signing.ts'
import { readTagSignatures, type TagSignature } from './tag-signatures.ts'

export interface VerifyOptions extends CallOptions {
  /** A signature by one of these is enough. */
  readonly keys: readonly KeyObject[]
  /** True for the name a signature may vouch for. Default: any. */
  readonly acceptIdentity?: (identity: string) => boolean
  /** What a signature must say beside. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** A signature that holds. */
export interface VerifiedSignature extends SignedClaim {
  /** SHA-256 of the public key (its SPKI), as hex. */
  readonly key: string
}

/**
 * The signatures of a manifest or index that one of the keys made for exactly this digest: at least one. What was not
 * verified is never used, and a payload that does not read counts as none. Throws `SIGNATURE_UNKNOWN` when nothing
 * is signed, `SIGNATURE_INVALID` when no signature holds, with the reason of each.
 */
export async function verifyImage(
  source: Source,
  image: Descriptor,
  options: VerifyOptions,
): Promise<readonly VerifiedSignature[]> {
  const { digest } = image
  const signatures = await readTagSignatures(source, digest, { signal: options.signal })
  const verified: VerifiedSignature[] = []
  const reasons: string[] = []
  for (const signature of signatures) {
    const result = checkTagSignature(signature, digest, options)
    if (typeof result === 'string') reasons.push(result)
    else verified.push(result)
  }
  if (verified.length > 0) return verified
  throw notVerified(source, digest, reasons)
}

/** The claim of a signature that holds, or why it does not. */
function checkTagSignature(
  { payload, signature }: TagSignature,
  digest: Digest,
  options: VerifyOptions,
): VerifiedSignature | string {
  const key = options.keys.find((one) => verifyBytes(one, payload, signature))
  if (key === undefined) return 'a signature was not made with the key, or its payload was changed'
  let claim: SignedClaim
  try {
    claim = parseClaim(payload)
  } catch (error) {
    if (isKatmanError(error)) return error.message
    throw error
  }
  if (claim.digest !== digest) return `a signature is for ${claim.digest}`
  if (options.acceptIdentity?.(claim.identity) === false) {
    return `a signature is for the name ${JSON.stringify(claim.identity)}`
  }
  const missing = Object.entries(options.annotations ?? {}).find(
    ([name, value]) => claim.annotations[name] !== value,
  )
  if (missing !== undefined) return `a signature does not say ${missing.join('=')}`
  return { ...claim, key: keyFingerprint(key) }
}

/** SHA-256 of a public key, as hex. */
export function keyFingerprint(key: KeyObject): string {
  const half = key.type === 'public' ? key : createPublicKey(key)
  return createHash('sha256')
    .update(half.export({ format: 'der', type: 'spki' }))
    .digest('hex')
}

function notVerified(source: Source, digest: Digest, reasons: readonly string[]): KatmanError {
  if (reasons.length === 0) {
    return new KatmanError('SIGNATURE_UNKNOWN', `${source.name}: ${digest} is not signed`, {
      hint: 'sign it with: katman sign --key KEY IMAGE',
      details: { digest, place: source.name },
    })
  }
  const text = [...new Set(reasons)].join('; ')
  return new KatmanError(
    'SIGNATURE_INVALID',
    `${source.name}: no signature of ${digest} holds: ${text}`,
    {
      hint: 'use the key, and the name, that the image was signed with; else do not use the image',
      details: { digest, place: source.name, reasons },
    },
  )
}
