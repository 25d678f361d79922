import {
  cosignTag,
  type Descriptor,
  type Digest,
  isKatmanError,
  KatmanError,
  type Manifest,
  mediaTypes,
  parseManifest,
} from '@katman/oci'
import {
  type CallOptions,
  copyContent,
  type NamingTarget,
  openMemoryPlace,
  readVerified,
  type Source,
} from '@katman/transfer'
import { signaturesFull } from './signatures-full.ts'
import { simpleSigningType } from './simple-signing.ts'
import { type Unread, unread } from './unread.ts'

/** A payload with the signature over its bytes, as it lies beside an image. */
export interface TagSignature {
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  /** Everything the layer says: also certificates and log entries. */
  readonly annotations: Readonly<Record<string, string>>
}

/** More signatures of one image are not looked at (CVE-2023-33957: endless signatures). */
const maxSignatures = 100
const maxPayloadBytes = 1024 * 1024
/** Each puts the signature once and looks for it the next time. */
const maxAttempts = 4
const signatureKey = 'dev.cosignproject.cosign/signature'

/** The tag under which the signatures of an image lie: `sha256-<hex>.sig`. */
export function signatureTag(digest: Digest): string {
  return cosignTag(digest, 'sig')
}

/** The signatures that lie under the tag of an image; none is no error. One that does not read spoils no other. */
export async function* readTagSignatures(
  source: Source,
  digest: Digest,
  call: CallOptions = {},
): AsyncGenerator<TagSignature | Unread> {
  const manifest = await readTagManifest(source, digest, call)
  for (const layer of manifest?.layers.slice(0, maxSignatures) ?? []) {
    const { annotations = {}, mediaType, size } = layer
    const encoded = annotations[signatureKey]
    if (mediaType !== simpleSigningType || size > maxPayloadBytes || !encoded) continue
    const signature = Buffer.from(encoded, 'base64')
    yield await readVerified(source, layer, call).then(
      (payload) => ({ payload, signature, annotations }),
      unread,
    )
  }
}

/**
 * Puts a signature beside those that are there. Registries have no lock, so it is looked for afterwards and put again when
 * someone who signed at the same moment replaced it. Throws `SIGNATURE_CONFLICT` when that does not end,
 * `SIGNATURES_FULL` when there are so many that nobody would look at it.
 */
export async function addTagSignature(
  target: Source & NamingTarget,
  digest: Digest,
  signed: Pick<TagSignature, 'payload' | 'signature'>,
  call: CallOptions = {},
): Promise<void> {
  const place = openMemoryPlace('new signature')
  const layer = place.add(simpleSigningType, signed.payload, {
    annotations: { [signatureKey]: Buffer.from(signed.signature).toString('base64') },
  })
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const known = (await readTagManifest(target, digest, call))?.layers ?? []
    if (known.some((one) => isSame(one, layer))) return
    if (known.length >= maxSignatures) throw signaturesFull(target, digest, maxSignatures)
    const layers = [...known, layer]
    const config = place.add(mediaTypes.ociConfig, encode(configFor(layers)))
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
    const root = place.add(mediaTypes.ociManifest, encode(manifest))
    await copyContent(place, target, root, { ...call, readFrom: 'source' })
    await target.tag(signatureTag(digest), root, call)
  }
  throw new KatmanError(
    'SIGNATURE_CONFLICT',
    `${target.name}: others replace the signatures of ${digest} again and again`,
    { hint: 'sign again when they are done', details: { digest, place: target.name } },
  )
}

function isSame(left: Descriptor, right: Descriptor): boolean {
  return (
    left.digest === right.digest &&
    left.annotations?.[signatureKey] === right.annotations?.[signatureKey]
  )
}

async function readTagManifest(
  source: Source,
  digest: Digest,
  call: CallOptions,
): Promise<Manifest | undefined> {
  let descriptor: Descriptor
  try {
    descriptor = await source.resolve(signatureTag(digest), call)
  } catch (error) {
    if (isKatmanError(error, 'MANIFEST_UNKNOWN') || isKatmanError(error, 'NAME_UNKNOWN'))
      return undefined
    throw error
  }
  const bytes = await readVerified(source, descriptor, call)
  const document = parseManifest(bytes, descriptor.mediaType)
  return document.kind === 'manifest' ? document : undefined
}

/** Readers of images want a config with a diffID for each layer. */
function configFor(layers: readonly Descriptor[]): unknown {
  const diff_ids = layers.map((layer) => layer.digest)
  return { architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids } }
}

function encode(document: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(document))
}
