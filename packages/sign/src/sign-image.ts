import type { KeyObject } from 'node:crypto'
import type { Descriptor } from '@katman/oci'
import type { CallOptions, NamingTarget, Source } from '@katman/transfer'
import { signBytes, verifyBytes } from './keys.ts'
import { formatClaim } from './simple-signing.ts'
import { addTagSignature, readTagSignatures } from './tag-signatures.ts'

export interface SignOptions extends CallOptions {
  readonly key: KeyObject
  /** The name that the signature vouches for: a repository, or a repository with a tag. */
  readonly identity: string
  /** Said beside: `{ commit: '1f2e3d' }`. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** Signs a manifest or index. False when the same claim is there already, signed with this key. */
export async function signImage(
  target: Source & NamingTarget,
  image: Descriptor,
  options: SignOptions,
): Promise<boolean> {
  const { key, identity, annotations = {}, signal } = options
  const payload = formatClaim({ digest: image.digest, identity, annotations })
  const known = await readTagSignatures(target, image.digest, { signal })
  const isThere = known.some(
    (one) => Buffer.compare(one.payload, payload) === 0 && verifyBytes(key, payload, one.signature),
  )
  if (isThere) return false
  const signature = signBytes(key, payload)
  await addTagSignature(target, image.digest, { payload, signature }, { signal })
  return true
}
