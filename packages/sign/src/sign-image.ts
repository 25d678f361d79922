import type { KeyObject } from 'node:crypto'
import { type Descriptor, isKatmanError } from '@katman/oci'
import type { CallOptions, NamingTarget, Source } from '@katman/transfer'
import { addBundle } from './bundle-signatures.ts'
import { signedBytes } from './dsse.ts'
import { signBytes } from './keys.ts'
import { formatClaim } from './simple-signing.ts'
import { formatStatement } from './statement.ts'
import { addTagSignature } from './tag-signatures.ts'
import { type SignatureLayout, verifyImage } from './verify-image.ts'

export interface SignOptions extends CallOptions {
  readonly key: KeyObject
  /** The name that the signature vouches for: a repository, or a repository with a tag. */
  readonly identity: string
  /** Said beside: `{ commit: '1f2e3d' }`. */
  readonly annotations?: Readonly<Record<string, string>>
  /**
   * Where the signature goes: under a tag, as every cosign and containers/image read it, or as a bundle that refers to
   * the image, as cosign does since version 3. Default: both.
   */
  readonly layouts?: readonly SignatureLayout[]
  /** The current time. Default: the clock. */
  readonly now?: () => Date
}

/** Signs a manifest or index. False when the same is there already in each layout, signed with this key. */
export async function signImage(
  target: Source & NamingTarget,
  image: Descriptor,
  options: SignOptions,
): Promise<boolean> {
  const { identity, annotations = {}, layouts = ['tag', 'bundle'], key, signal } = options
  const known = await verifiedLayouts(target, image, options)
  const missing = layouts.filter((layout) => !known.has(layout))
  if (missing.includes('tag')) {
    const payload = formatClaim({ digest: image.digest, identity, annotations })
    const signature = signBytes(key, payload)
    await addTagSignature(target, image.digest, { payload, signature }, { signal })
  }
  if (missing.includes('bundle')) {
    const message = formatStatement(image.digest, { identity, annotations })
    const envelope = { ...message, signature: signBytes(key, signedBytes(message)) }
    const now = options.now?.() ?? new Date()
    await addBundle(target, image, { envelope, key, now }, { signal })
  }
  return missing.length > 0
}

/** The layouts in which the same is signed already. */
async function verifiedLayouts(
  source: Source,
  image: Descriptor,
  { key, identity, layouts, annotations = {}, signal }: SignOptions,
): Promise<ReadonlySet<SignatureLayout>> {
  const said = Object.keys(annotations).length
  try {
    const acceptIdentity = (name: string): boolean => name === identity
    const options = { keys: [key], signal, annotations, acceptIdentity }
    const where = layouts === undefined ? {} : { layouts }
    const signatures = await verifyImage(source, image, { ...options, ...where })
    const same = signatures.filter((one) => Object.keys(one.annotations).length === said)
    return new Set(same.map(({ layout }) => layout))
  } catch (error) {
    const isUnsigned =
      isKatmanError(error, 'SIGNATURE_UNKNOWN') || isKatmanError(error, 'SIGNATURE_INVALID')
    if (isUnsigned) return new Set()
    throw error
  }
}
