import { createHash } from 'node:crypto'
import {
  type Descriptor,
  type Digest,
  isKatmanError,
  type Manifest,
  mediaTypes,
  parseJson,
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
import { bundleInvalid } from './dsse.ts'
import { asObject } from './json-object.ts'
import { parsePem } from './pem.ts'
import { simpleSigningType } from './simple-signing.ts'

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
const signatureKey = 'dev.cosignproject.cosign/signature'

/** The tag under which the signatures of an image lie: `sha256-<hex>.sig`. */
export function signatureTag(digest: Digest): string {
  return `${digest.replace(':', '-')}.sig`
}

/** The signatures that lie under the tag of an image; none is no error. */
export async function readTagSignatures(
  source: Source,
  digest: Digest,
  call: CallOptions = {},
): Promise<readonly TagSignature[]> {
  const manifest = await readTagManifest(source, digest, call)
  const signatures: TagSignature[] = []
  for (const layer of manifest?.layers.slice(0, maxSignatures) ?? []) {
    const { annotations = {}, mediaType, size } = layer
    const signature = annotations[signatureKey]
    if (mediaType !== simpleSigningType || size > maxPayloadBytes || !signature) continue
    const payload = await readVerified(source, layer, call)
    signatures.push({ payload, signature: Buffer.from(signature, 'base64'), annotations })
  }
  return signatures
}

/** Puts a signature beside those that are there. Two who sign at the same moment can lose one: registries have no lock. */
export async function addTagSignature(
  target: Source & NamingTarget,
  digest: Digest,
  { payload, signature }: Pick<TagSignature, 'payload' | 'signature'>,
  call: CallOptions = {},
): Promise<Descriptor> {
  const known = (await readTagManifest(target, digest, call))?.layers ?? []
  const place = openMemoryPlace('new signature')
  const layer = place.add(simpleSigningType, payload, {
    annotations: { [signatureKey]: Buffer.from(signature).toString('base64') },
  })
  const layers = [...known, layer]
  const config = place.add(mediaTypes.ociConfig, encode(configFor(layers)))
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
  const root = place.add(mediaTypes.ociManifest, encode(manifest))
  await copyContent(place, target, root, { ...call, readFrom: 'source' })
  await target.tag(signatureTag(digest), root, call)
  return root
}

/**
 * A signature that lies under a tag as a bundle, when it was made with a certificate: its certificate and its log entry
 * stand in annotations. Throws `BUNDLE_INVALID`, `KEY_INVALID`, `JSON_INVALID`.
 */
export function tagBundle({ payload, signature, annotations }: TagSignature): Uint8Array {
  const certificate = annotations['dev.sigstore.cosign/certificate']
  const entry = annotations['dev.sigstore.cosign/bundle']
  if (certificate === undefined || entry === undefined) {
    throw bundleInvalid('a signature has no certificate, or no entry of a log')
  }
  const root = asObject(parseJson(Buffer.from(entry), 'log entry'))
  const said = asObject(root?.['Payload'])
  const promise = root?.['SignedEntryTimestamp']
  const { body, integratedTime, logIndex, logID } = said ?? {}
  const isWhole =
    typeof promise === 'string' &&
    typeof body === 'string' &&
    typeof integratedTime === 'number' &&
    typeof logIndex === 'number' &&
    typeof logID === 'string'
  if (!isWhole) throw bundleInvalid('an entry of a log is not whole')
  const [leaf] = parsePem(certificate, 'the certificate of a signature')
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: {
      x509CertificateChain: {
        certificates: [{ rawBytes: base64(leaf?.bytes ?? new Uint8Array()) }],
      },
      tlogEntries: [
        {
          logIndex: String(logIndex),
          logId: { keyId: base64(Buffer.from(logID, 'hex')) },
          kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
          integratedTime: String(integratedTime),
          inclusionPromise: { signedEntryTimestamp: promise },
          canonicalizedBody: body,
        },
      ],
    },
    messageSignature: {
      messageDigest: {
        algorithm: 'SHA2_256',
        digest: createHash('sha256').update(payload).digest('base64'),
      },
      signature: base64(signature),
    },
  }
  return Buffer.from(JSON.stringify(bundle))
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
