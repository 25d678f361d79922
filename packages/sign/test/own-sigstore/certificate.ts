import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto'
import {
  bits,
  explicit,
  implicit,
  integer,
  octets,
  oid,
  sequence,
  set,
  time,
  truth,
  utf8,
} from './der.ts'

/** What a certificate to make says. */
export interface CertificateDraft {
  readonly subject: string
  readonly publicKey: KeyObject
  readonly issuer: {
    readonly subject: string
    readonly privateKey: KeyObject
    readonly publicKey: KeyObject
  }
  readonly from: Date
  readonly to: Date
  readonly isAuthority?: boolean
  /** For the leaf: whom it names, and who says so. */
  readonly email?: string
  readonly oidcIssuer?: string
  /** Default: code signing. */
  readonly extendedUse?: string
  /** The list of timestamps of a certificate log, once it is known. */
  readonly timestamps?: Uint8Array | undefined
}

const ecdsaSha256 = sequence(oid('1.2.840.10045.4.3.2'))
const codeSigning = '1.3.6.1.5.5.7.3.3'

/** The part of a certificate that is signed (RFC 5280). */
export function certificateBody(draft: CertificateDraft, serial: Uint8Array): Buffer {
  return sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    ecdsaSha256,
    nameOf(draft.issuer.subject),
    sequence(time(draft.from), time(draft.to)),
    nameOf(draft.subject),
    spki(draft.publicKey),
    explicit(3, sequence(...extensionsOf(draft))),
  )
}

export function signCertificate(body: Uint8Array, key: KeyObject): Buffer {
  return sequence(body, ecdsaSha256, bits(sign('sha256', body, key)))
}

export function newSerial(): Buffer {
  return Buffer.concat([Buffer.from([1]), randomBytes(8)])
}

export function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' })
}

function nameOf(text: string): Buffer {
  // An empty subject, as certificates of short life have.
  return text === '' ? sequence() : sequence(set(sequence(oid('2.5.4.3'), utf8(text))))
}

function extensionsOf(draft: CertificateDraft): readonly Buffer[] {
  const extension = (id: string, bytes: Uint8Array, isCritical = false): Buffer =>
    sequence(oid(id), ...(isCritical ? [truth()] : []), octets(bytes))
  const own = keyId(draft.publicKey)
  const shared = [
    extension('2.5.29.14', octets(own)),
    extension('2.5.29.35', sequence(implicit(0, keyId(draft.issuer.publicKey)))),
  ]
  if (draft.isAuthority) {
    // Signs certificates and lists of revoked ones.
    const uses = extension('2.5.29.15', bits(Buffer.from([0x06]), 1), true)
    return [extension('2.5.29.19', sequence(truth()), true), uses, ...shared]
  }
  const { email, oidcIssuer, timestamps, extendedUse = codeSigning } = draft
  return [
    extension('2.5.29.15', bits(Buffer.from([0x80]), 7), true),
    extension('2.5.29.37', sequence(oid(extendedUse))),
    ...shared,
    ...(email === undefined
      ? []
      : [extension('2.5.29.17', sequence(implicit(1, Buffer.from(email))), true)]),
    ...(oidcIssuer === undefined
      ? []
      : [
          extension('1.3.6.1.4.1.57264.1.1', Buffer.from(oidcIssuer)),
          extension('1.3.6.1.4.1.57264.1.8', utf8(oidcIssuer)),
        ]),
    ...(timestamps === undefined ? [] : [extension('1.3.6.1.4.1.11129.2.4.2', octets(timestamps))]),
  ]
}

function keyId(key: KeyObject): Buffer {
  return createHash('sha1').update(spki(key)).digest()
}
