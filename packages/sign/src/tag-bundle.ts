import { createHash } from 'node:crypto'
import { parseJson } from '@katman/oci'
import { bundleInvalid } from './dsse.ts'
import { asObject } from './json-object.ts'
import { parsePem } from './pem.ts'
import type { TagSignature } from './tag-signatures.ts'

/** The certificate of a signature that lies under a tag, as DER; undefined when a key made it. Throws `KEY_INVALID`. */
export function certificateOf({ annotations }: TagSignature): Uint8Array | undefined {
  const text = annotations['dev.sigstore.cosign/certificate']
  if (text === undefined) return undefined
  const [first, second] = parsePem(text, 'the certificate of a signature')
  if (first?.label === 'CERTIFICATE' && second === undefined) return first.bytes
  throw bundleInvalid('a signature has not exactly one certificate')
}

/** The certificates a signature brings along between its own and an authority. Throws `KEY_INVALID`. */
export function intermediatesOf({ annotations }: TagSignature): readonly Uint8Array[] {
  const text = annotations['dev.sigstore.cosign/chain']
  if (!text) return []
  return parsePem(text, 'the certificates of a signature').map(({ bytes }) => bytes)
}

/**
 * A signature that lies under a tag as a bundle: its entry of a log stands in an annotation. Without certificate it is
 * the bundle of a key. Throws `BUNDLE_INVALID`, `JSON_INVALID`.
 */
export function tagBundle(
  { payload, signature, annotations }: TagSignature,
  certificate: Uint8Array | undefined,
): Uint8Array {
  const entry = annotations['dev.sigstore.cosign/bundle']
  if (entry === undefined) throw bundleInvalid('a signature has no entry of a log')
  const root = asObject(parseJson(Buffer.from(entry), 'log entry'))
  const { body, integratedTime, logIndex, logID } = asObject(root?.['Payload']) ?? {}
  const promise = root?.['SignedEntryTimestamp']
  const isWhole =
    typeof promise === 'string' &&
    typeof body === 'string' &&
    typeof integratedTime === 'number' &&
    typeof logIndex === 'number' &&
    typeof logID === 'string'
  if (!isWhole) throw bundleInvalid('an entry of a log is not whole')
  const signer =
    certificate === undefined
      ? { publicKey: { hint: 'key' } }
      : { x509CertificateChain: { certificates: [{ rawBytes: base64(certificate) }] } }
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: {
      ...signer,
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

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
