import type { KeyObject } from 'node:crypto'
import {
  type Descriptor,
  isManifestType,
  type JsonObject,
  mediaTypes,
  parseJson,
  parseManifest,
} from '@katman/oci'
import {
  type CallOptions,
  copyContent,
  isReferrerSource,
  openMemoryPlace,
  readVerified,
  type Source,
  type Target,
} from '@katman/transfer'
import { bundleInvalid, type Envelope, envelopeJson, parseEnvelope } from './dsse.ts'
import { asObject } from './json-object.ts'
import { keyFingerprint } from './keys.ts'
import { signaturesFull } from './signatures-full.ts'
import { signPredicate } from './statement.ts'
import { type Unread, unread } from './unread.ts'

/** The media type of a bundle, and the artifact type of the manifest that holds it. */
export const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
/** Every version that there is. */
const bundleTypes = new Set([
  bundleType,
  ...['0.1', '0.2', '0.3'].map((one) => `application/vnd.dev.sigstore.bundle+json;version=${one}`),
])
const bundlePrefix = 'application/vnd.dev.sigstore.bundle'
/** More bundles of one image are not looked at. */
const maxBundles = 100
const maxBundleBytes = 1024 * 1024

/** The bundles that refer to a content, as they are; none is no error. One that does not read spoils no other. */
export async function* readBundles(
  source: Source,
  image: Descriptor,
  call: CallOptions = {},
): AsyncGenerator<Uint8Array | Unread> {
  for (const referrer of await listBundles(source, image, call)) {
    const bundle = await readBundle(source, image, referrer, call).catch(unread)
    if (bundle !== undefined) yield bundle
  }
}

/** What says that it is a bundle, not more than are looked at. */
async function listBundles(
  source: Source | Target,
  { digest }: Descriptor,
  call: CallOptions,
): Promise<readonly Descriptor[]> {
  if (!isReferrerSource(source)) return []
  return (await source.referrers({ digest }, call))
    .filter(({ artifactType = '', mediaType }) => {
      return artifactType.startsWith(bundlePrefix) && isManifestType(mediaType)
    })
    .slice(0, maxBundles)
}

async function readBundle(
  source: Source,
  { digest }: Descriptor,
  referrer: Descriptor,
  call: CallOptions,
): Promise<Uint8Array | undefined> {
  const manifest = parseManifest(await readVerified(source, referrer, call), referrer.mediaType)
  if (manifest.kind !== 'manifest' || manifest.subject?.digest !== digest) return undefined
  const [layer] = manifest.layers
  const isBundle = layer?.mediaType.startsWith(bundlePrefix) && layer.size <= maxBundleBytes
  return layer !== undefined && isBundle ? readVerified(source, layer, call) : undefined
}

/**
 * Writes a bundle that was signed with a key, and lets it refer to the image. Throws `SIGNATURES_FULL` when so many do that
 * nobody would look at it.
 */
export async function addBundle(
  target: Target,
  image: Descriptor,
  signed: { readonly envelope: Envelope; readonly key: KeyObject; readonly now: Date },
  call: CallOptions = {},
): Promise<Descriptor> {
  if ((await listBundles(target, image, call)).length === maxBundles) {
    throw signaturesFull(target, image.digest, maxBundles)
  }
  const hint = Buffer.from(keyFingerprint(signed.key), 'hex').toString('base64')
  const bundle = {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint } },
    dsseEnvelope: envelopeJson(signed.envelope),
  }
  const place = openMemoryPlace('new bundle')
  const { mediaType, digest, size } = image
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: bundleType,
    config: place.add(mediaTypes.ociEmpty, Buffer.from('{}')),
    layers: [place.add(bundleType, Buffer.from(JSON.stringify(bundle)))],
    subject: { mediaType, digest, size },
    annotations: {
      'dev.sigstore.bundle.content': 'dsse-envelope',
      'dev.sigstore.bundle.predicateType': signPredicate,
      'org.opencontainers.image.created': signed.now.toISOString(),
    },
  }
  const root = place.add(mediaTypes.ociManifest, Buffer.from(JSON.stringify(manifest)))
  await copyContent(place, target, root, { ...call, readFrom: 'source' })
  return root
}

/** The signed message of a bundle; undefined when it signs the content itself. Throws `BUNDLE_INVALID`, `JSON_INVALID`. */
export function parseEnvelopeOf(bytes: Uint8Array): Envelope | undefined {
  const root: JsonObject | undefined = asObject(parseJson(bytes, 'Sigstore bundle'))
  const type = root?.['mediaType']
  if (typeof type !== 'string' || !bundleTypes.has(type)) {
    throw bundleInvalid('its media type is unknown')
  }
  const isMessage = root?.['dsseEnvelope'] !== undefined
  if (isMessage === (root?.['messageSignature'] !== undefined)) {
    throw bundleInvalid('it has neither or both of dsseEnvelope and messageSignature')
  }
  return isMessage ? parseEnvelope(root?.['dsseEnvelope']) : undefined
}
