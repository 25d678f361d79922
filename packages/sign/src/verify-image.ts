import type { KeyObject } from 'node:crypto'
import { type Descriptor, type Digest, isKatmanError, KatmanError } from '@katman/oci'
import type { CallOptions, Source } from '@katman/transfer'
import { parseKeyBundle, readBundles } from './bundle-signatures.ts'
import { signedBytes } from './dsse.ts'
import { keyFingerprint, verifyBytes } from './keys.ts'
import { parseClaim } from './simple-signing.ts'
import { parseStatement, type Statement } from './statement.ts'
import { readTagSignatures, type TagSignature } from './tag-signatures.ts'

/** How a signature lies beside its image: under a tag, or as a Sigstore bundle that refers to it. */
export type SignatureLayout = 'tag' | 'bundle'

export interface VerifyOptions extends CallOptions {
  /** A signature by one of these is enough. */
  readonly keys: readonly KeyObject[]
  /** True for the name a signature may vouch for. Default: any, also none. */
  readonly acceptIdentity?: ((identity: string) => boolean) | undefined
  /** What a signature must say beside. */
  readonly annotations?: Readonly<Record<string, string>>
  /** Where to look. Default: in both. */
  readonly layouts?: readonly SignatureLayout[]
}

/** A signature that holds. */
export interface VerifiedSignature extends Statement {
  readonly layout: SignatureLayout
  /** The manifest or index that was signed. */
  readonly digest: Digest
  /** SHA-256 of the public key (its SPKI), as hex. */
  readonly key: string
}

/**
 * The signatures of a manifest or index that one of the keys made for exactly this digest: at least one. What was not
 * verified is never used, and what does not read counts as no signature. Throws `SIGNATURE_UNKNOWN` when nothing is
 * signed, `SIGNATURE_INVALID` when no signature holds, with the reason of each.
 */
export async function verifyImage(
  source: Source,
  image: Descriptor,
  options: VerifyOptions,
): Promise<readonly VerifiedSignature[]> {
  const { digest } = image
  const { layouts = ['tag', 'bundle'], signal } = options
  const results: (VerifiedSignature | string)[] = []
  if (layouts.includes('tag')) {
    for (const signature of await readTagSignatures(source, digest, { signal })) {
      results.push(checked(() => checkTagSignature(signature, digest, options)))
    }
  }
  if (layouts.includes('bundle')) {
    for (const bundle of await readBundles(source, image, { signal })) {
      results.push(checked(() => checkBundle(bundle, digest, options)))
    }
  }
  const verified = results.filter((result) => typeof result !== 'string')
  if (verified.length > 0) return verified
  throw notVerified(
    source,
    digest,
    results.filter((result) => typeof result === 'string'),
  )
}

const otherKey = 'a signature was not made with the key, or what it signs was changed'

/** The claim of a signature that holds, or why it does not. */
function checkTagSignature(
  { payload, signature }: TagSignature,
  digest: Digest,
  options: VerifyOptions,
): VerifiedSignature | string {
  const key = options.keys.find((one) => verifyBytes(one, payload, signature))
  if (key === undefined) return otherKey
  const claim = parseClaim(payload)
  if (claim.digest !== digest) return `a signature is for ${claim.digest}`
  const said = { ...claim, key: keyFingerprint(key) }
  return whyUnwanted(claim, options) ?? { layout: 'tag', ...said }
}

function checkBundle(
  bytes: Uint8Array,
  digest: Digest,
  options: VerifyOptions,
): VerifiedSignature | string {
  const envelope = parseKeyBundle(bytes)
  const signed = signedBytes(envelope)
  const key = options.keys.find((one) => verifyBytes(one, signed, envelope.signature))
  if (key === undefined) return otherKey
  const statement = parseStatement(envelope, digest)
  if (statement === undefined) return 'a bundle is for another image'
  if (typeof statement === 'string') return `a bundle attests ${statement} and signs no image`
  const said = { digest, ...statement, key: keyFingerprint(key) }
  return whyUnwanted(statement, options) ?? { layout: 'bundle', ...said }
}

/** Why a verified statement is not the one asked for. */
function whyUnwanted(
  { identity, annotations }: Statement,
  options: Pick<VerifyOptions, 'acceptIdentity' | 'annotations'>,
): string | undefined {
  const { acceptIdentity } = options
  if (acceptIdentity !== undefined) {
    if (identity === undefined) return 'a signature names no image'
    if (!acceptIdentity(identity)) return `a signature is for the name ${JSON.stringify(identity)}`
  }
  const missing = Object.entries(options.annotations ?? {}).find(
    ([name, value]) => annotations[name] !== value,
  )
  return missing === undefined ? undefined : `a signature does not say ${missing.join('=')}`
}

function checked(check: () => VerifiedSignature | string): VerifiedSignature | string {
  try {
    return check()
  } catch (error) {
    if (isKatmanError(error)) return error.message
    throw error
  }
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
