import type { KeyObject } from 'node:crypto'
import { type Descriptor, type Digest, KatmanError } from '@katman/oci'
import { type CallOptions, readVerified, type Source } from '@katman/transfer'
import { parseEnvelopeOf, readBundles } from './bundle-signatures.ts'
import { signedBytes } from './dsse.ts'
import {
  type CertificateTrust,
  parseBundle,
  type TrustRoot,
  whyNotCertified,
  whyNotLogged,
} from './keyless.ts'
import { keyFingerprint, verifyBytes } from './keys.ts'
import { parseClaim } from './simple-signing.ts'
import { parseStatement, type Statement } from './statement.ts'
import { certificateOf, intermediatesOf, tagBundle } from './tag-bundle.ts'
import { readTagSignatures, type TagSignature } from './tag-signatures.ts'
import { Unread, unread } from './unread.ts'

/** How a signature lies beside its image: under a tag, or as a Sigstore bundle that refers to it. */
export type SignatureLayout = 'tag' | 'bundle'

export interface VerifyOptions extends CallOptions {
  /** A signature by one of these is enough. */
  readonly keys?: readonly KeyObject[]
  /** So is one with a certificate that is believed. */
  readonly certificate?: CertificateTrust
  /** The logs that must have a signature under a tag that was made with a key. Default: none is asked. */
  readonly log?: TrustRoot
  /** Bundles to look at instead of what lies beside the image. */
  readonly bundles?: readonly Uint8Array[]
  /** True for the name a signature may vouch for. Default: any, also none. */
  readonly acceptIdentity?: ((identity: string) => boolean) | undefined
  /** What a signature must say beside. */
  readonly annotations?: Readonly<Record<string, string>>
  /** Where to look, and in which order. Default: under the tag, then for bundles. */
  readonly layouts?: readonly SignatureLayout[]
  /** Look no further when one signature holds. Default: all are looked at. */
  readonly isOneEnough?: boolean
}

/** A signature that holds. */
export interface VerifiedSignature extends Statement {
  readonly layout: SignatureLayout
  /** The manifest or index that was signed. */
  readonly digest: Digest
  /** SHA-256 of the public key (its SPKI), as hex, of one of the keys. */
  readonly key?: string
  /** Else whom the certificate names, and who vouched for that. */
  readonly certificate?: { readonly subject: string; readonly issuer: string }
}

/**
 * The signatures of a manifest or index that one of the keys, or a certificate, made for exactly this digest: at least one. What was not
 * verified is never used, and what does not read counts as no signature. Throws `SIGNATURE_UNKNOWN` when nothing is
 * signed, `SIGNATURE_INVALID` when no signature holds, with the reason of each. A place that does not answer matters only
 * when nothing holds: then what it threw is thrown.
 */
export async function verifyImage(
  source: Source,
  image: Descriptor,
  options: VerifyOptions,
): Promise<readonly VerifiedSignature[]> {
  const { digest } = image
  const verified: VerifiedSignature[] = []
  const reasons: string[] = []
  let unanswered: { readonly error: unknown } | undefined
  for (const read of readers(source, image, options)) {
    try {
      for await (const one of read()) {
        const result =
          one instanceof Unread ? one : await check(one, source, image, options).catch(unread)
        if (typeof result === 'string') reasons.push(result)
        else if (result instanceof Unread) reasons.push(result.reason)
        else verified.push(result)
        if (options.isOneEnough && verified.length > 0) return verified
      }
    } catch (error) {
      options.signal?.throwIfAborted()
      unanswered ??= { error }
    }
  }
  if (verified.length > 0) return verified
  if (unanswered !== undefined) throw unanswered.error
  throw notVerified(source, digest, reasons)
}

type Found = TagSignature | Uint8Array | Unread

/** What lies beside the image: signatures under its tag, and bundles. */
function readers(
  source: Source,
  image: Descriptor,
  { bundles, layouts = ['tag', 'bundle'], signal }: VerifyOptions,
): readonly (() => AsyncIterable<Found> | Iterable<Found>)[] {
  if (bundles !== undefined) return [() => bundles]
  const call = { signal }
  return layouts.map((layout) =>
    readable(() =>
      layout === 'tag'
        ? readTagSignatures(source, image.digest, call)
        : readBundles(source, image, call),
    ),
  )
}

/** Ends with a reason when the list of signatures itself does not read. */
function readable(read: () => AsyncIterable<Found>): () => AsyncIterable<Found> {
  return async function* found() {
    try {
      yield* read()
    } catch (error) {
      yield unread(error)
    }
  }
}

function check(
  one: TagSignature | Uint8Array,
  source: Source,
  image: Descriptor,
  options: VerifyOptions,
): Promise<VerifiedSignature | string> {
  return one instanceof Uint8Array
    ? checkBundle(one, source, image, options)
    : checkTagSignature(one, image.digest, options)
}

const otherKey = 'a signature was not made with the key, or what it signs was changed'

/** The claim of a signature that holds, or why it does not. */
async function checkTagSignature(
  tagSignature: TagSignature,
  digest: Digest,
  options: VerifyOptions,
): Promise<VerifiedSignature | string> {
  const { payload, signature } = tagSignature
  const { certificate, keys = [], log } = options
  const key = keys.find((one) => verifyBytes(one, payload, signature))
  if (key !== undefined && log !== undefined) {
    const bundle = await parseBundle(tagBundle(tagSignature, undefined))
    const reason = await whyNotLogged(bundle, payload, key, log)
    if (reason !== undefined) return reason
  }
  if (key === undefined) {
    const leaf = certificateOf(tagSignature)
    if (certificate === undefined || leaf === undefined) return otherKey
    const bundle = await parseBundle(tagBundle(tagSignature, leaf))
    const others = intermediatesOf(tagSignature)
    const reason = await whyNotCertified(bundle, payload, certificate, others)
    if (reason !== undefined) return reason
  }
  const claim = parseClaim(payload)
  if (claim.digest !== digest) return `a signature is for ${claim.digest}`
  return whyUnwanted(claim, options) ?? { layout: 'tag', ...claim, ...signerOf(key, certificate) }
}

async function checkBundle(
  bytes: Uint8Array,
  source: Source,
  image: Descriptor,
  options: VerifyOptions,
): Promise<VerifiedSignature | string> {
  const { digest } = image
  const { certificate, keys = [], signal } = options
  const envelope = parseEnvelopeOf(bytes)
  const signed = envelope === undefined ? undefined : signedBytes(envelope)
  const key = keys.find(
    (one) =>
      envelope !== undefined &&
      signed !== undefined &&
      verifyBytes(one, signed, envelope.signature),
  )
  if (key === undefined) {
    if (certificate === undefined) return otherKey
    const bundle = await parseBundle(bytes)
    // Without a message the signature is over the manifest itself.
    const artifact =
      envelope === undefined ? await readVerified(source, image, { signal }) : new Uint8Array()
    const reason = await whyNotCertified(bundle, artifact, certificate)
    if (reason !== undefined) return reason
  }
  const statement = envelope === undefined ? { annotations: {} } : parseStatement(envelope, digest)
  if (statement === undefined) return 'a bundle is for another image'
  if (typeof statement === 'string') return `a bundle attests ${statement} and signs no image`
  const said = { digest, ...statement, ...signerOf(key, certificate) }
  return whyUnwanted(statement, options) ?? { layout: 'bundle', ...said }
}

function signerOf(
  key: KeyObject | undefined,
  trust: CertificateTrust | undefined,
): Pick<VerifiedSignature, 'key' | 'certificate'> {
  if (key !== undefined) return { key: keyFingerprint(key) }
  if (trust === undefined) return {}
  return { certificate: { subject: trust.subject, issuer: trust.issuer } }
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
