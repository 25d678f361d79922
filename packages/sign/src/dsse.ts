import { type JsonValue, KatmanError } from '@katman/oci'
import { asObject } from './json-object.ts'

/** A signed message with its type (DSSE, "Dead Simple Signing Envelope"). */
export interface Envelope {
  readonly payloadType: string
  readonly payload: Uint8Array
  /** The only signature: bundles have one. */
  readonly signature: Uint8Array
}

/** What is signed of a message: its type and its bytes with their lengths, so that nothing can pass for another. */
export function signedBytes({
  payloadType,
  payload,
}: Pick<Envelope, 'payloadType' | 'payload'>): Uint8Array {
  const typeBytes = Buffer.byteLength(payloadType)
  const head = `DSSEv1 ${typeBytes} ${payloadType} ${payload.byteLength} `
  return Buffer.concat([Buffer.from(head), payload])
}

/** The envelope of a bundle, as JSON. */
export function envelopeJson({ payloadType, payload, signature }: Envelope): unknown {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  return { payload: base64(payload), payloadType, signatures: [{ sig: base64(signature) }] }
}

/** Reads the envelope of a bundle. Throws `BUNDLE_INVALID`. */
export function parseEnvelope(value: JsonValue | undefined): Envelope {
  const envelope = asObject(value)
  const signatures = envelope?.['signatures']
  const [first, second] = Array.isArray(signatures) ? signatures : []
  const signature = asObject(first)?.['sig']
  const payload = envelope?.['payload']
  const payloadType = envelope?.['payloadType']
  if (typeof payload !== 'string' || typeof payloadType !== 'string') {
    throw bundleInvalid('it has no signed message')
  }
  if (typeof signature !== 'string' || second !== undefined) {
    throw bundleInvalid('it has not exactly one signature')
  }
  return {
    payloadType,
    payload: Buffer.from(payload, 'base64'),
    signature: Buffer.from(signature, 'base64'),
  }
}

/** The error for a bundle that does not read. */
export function bundleInvalid(reason: string, cause?: unknown): KatmanError {
  return new KatmanError('BUNDLE_INVALID', `a Sigstore bundle does not read: ${reason}`, {
    hint: 'sign the image again',
    details: { reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
