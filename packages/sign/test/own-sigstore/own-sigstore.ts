import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  certificateBody,
  type CertificateDraft,
  newSerial,
  signCertificate,
  spki,
} from './certificate.ts'

// A Sigstore of our own, without network: a certificate authority with an intermediate, a log of certificates and a
// log of signatures. The cryptography is real, so that cosign and containers/image accept what it makes.

export interface Pair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

interface Identity {
  readonly email: string
  readonly oidcIssuer: string
}

/** What may go wrong with a certificate or an entry, on purpose. */
export interface Faults {
  /** Who logs the signature. Default: the log of this Sigstore. */
  readonly logKey?: Pair
  /** Who logs the certificate; null: nobody. */
  readonly certificateLogKey?: Pair | null
  /** When the signature was logged. Default: while the certificate was valid. */
  readonly loggedAt?: Date
  readonly extendedUse?: string
  /** The body of the entry, changed. */
  readonly changeBody?: (body: string) => string
}

export interface OwnSigstore {
  readonly trustedRoot: object
  readonly rootPem: string
  readonly intermediatePem: string
  readonly logPem: string
  /** A new key with a certificate that lives for ten minutes. */
  certify(identity: Identity, faults?: Faults): Certified
  /** A bundle around a DSSE message that was signed with the key of a certificate. */
  bundle(signed: SignedMessage, certified: Certified, faults?: Faults): object
  /** The annotations of a signature that lies under a tag. */
  annotations(
    payload: Uint8Array,
    signature: Uint8Array,
    certified: Certified,
    faults?: Faults,
  ): Record<string, string>
}

export interface Certified extends Pair {
  readonly der: Buffer
  readonly pem: string
}

interface SignedMessage {
  readonly payload: Uint8Array
  readonly payloadType: string
  readonly signature: Uint8Array
}

const start = new Date('2026-03-01T00:00:00Z')
export const signedAt = new Date('2026-03-02T10:00:00Z')
const minute = 60_000
const logName = 'log.sigstore.invalid'

export function newPair(): Pair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

/** @param intermediateEnds when the certificate of the intermediate authority runs out */
export function createOwnSigstore(
  intermediateEnds = new Date('2036-03-01T00:00:00Z'),
): OwnSigstore {
  const [rootKey, intermediateKey, certificateLog, log] = [
    newPair(),
    newPair(),
    newPair(),
    newPair(),
  ]
  const root = { subject: 'own root', ...rootKey }
  const intermediate = { subject: 'own intermediate', ...intermediateKey }
  const to = new Date('2036-03-01T00:00:00Z')
  const authority = { from: start, isAuthority: true } as const
  const rootDer = issue({ ...authority, ...root, issuer: root, to })
  const intermediateDer = issue({
    ...authority,
    ...intermediate,
    issuer: root,
    to: intermediateEnds,
  })
  return {
    trustedRoot: {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [logInstance(log, `https://${logName}`)],
      certificateAuthorities: [
        {
          subject: { organization: 'own', commonName: 'own root' },
          uri: 'https://ca.sigstore.invalid',
          certChain: {
            certificates: [intermediateDer, rootDer].map((der) => ({ rawBytes: base64(der) })),
          },
          validFor: { start: start.toISOString() },
        },
      ],
      ctlogs: [logInstance(certificateLog, 'https://ct.sigstore.invalid')],
      timestampAuthorities: [],
    },
    rootPem: pem('CERTIFICATE', rootDer),
    intermediatePem: pem('CERTIFICATE', intermediateDer),
    logPem: pem('PUBLIC KEY', spki(log.publicKey)),
    certify({ email, oidcIssuer }, faults = {}) {
      const pair = newPair()
      const draft: CertificateDraft = {
        subject: '',
        publicKey: pair.publicKey,
        issuer: intermediate,
        email,
        oidcIssuer,
        ...(faults.extendedUse === undefined ? {} : { extendedUse: faults.extendedUse }),
        from: new Date(signedAt.getTime() - minute),
        to: new Date(signedAt.getTime() + 9 * minute),
      }
      const { certificateLogKey = certificateLog } = faults
      const serial = newSerial()
      const timestamps =
        certificateLogKey === null
          ? undefined
          : certificateTimestamp(certificateBody(draft, serial), intermediateKey, certificateLogKey)
      const der = signCertificate(
        certificateBody({ ...draft, timestamps }, serial),
        intermediate.privateKey,
      )
      return { ...pair, der, pem: pem('CERTIFICATE', der) }
    },
    bundle({ payload, payloadType, signature }, certified, faults = {}) {
      const signatures = [{ sig: base64(signature) }]
      const dsseEnvelope = { payload: base64(payload), payloadType, signatures }
      const body = {
        apiVersion: '0.0.1',
        kind: 'dsse',
        spec: {
          envelopeHash: sha256Json(Buffer.from(JSON.stringify(dsseEnvelope))),
          payloadHash: sha256Json(payload),
          signatures: [
            { signature: base64(signature), verifier: base64(Buffer.from(certified.pem)) },
          ],
        },
      }
      return {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: {
          certificate: { rawBytes: base64(certified.der) },
          tlogEntries: [entryOf(body, log, faults)],
        },
        dsseEnvelope,
      }
    },
    annotations(payload, signature, certified, faults = {}) {
      const body = {
        apiVersion: '0.0.1',
        kind: 'hashedrekord',
        spec: {
          data: { hash: sha256Json(payload) },
          signature: {
            content: base64(signature),
            publicKey: { content: base64(Buffer.from(certified.pem)) },
          },
        },
      }
      const entry = entryOf(body, log, faults)
      const logID = Buffer.from(entry.logId.keyId, 'base64').toString('hex')
      const integratedTime = Number(entry.integratedTime)
      const Payload = { body: entry.canonicalizedBody, integratedTime, logIndex: 1, logID }
      const SignedEntryTimestamp = entry.inclusionPromise.signedEntryTimestamp
      return {
        'dev.cosignproject.cosign/signature': base64(signature),
        'dev.sigstore.cosign/bundle': JSON.stringify({ SignedEntryTimestamp, Payload }),
        'dev.sigstore.cosign/certificate': certified.pem,
        'dev.sigstore.cosign/chain':
          pem('CERTIFICATE', intermediateDer) + pem('CERTIFICATE', rootDer),
      }
    },
  }
}

function issue(draft: CertificateDraft): Buffer {
  return signCertificate(certificateBody(draft, newSerial()), draft.issuer.privateKey)
}

/** The signed timestamp of a certificate log for what is to become a certificate (RFC 6962), as a list of one. */
function certificateTimestamp(body: Uint8Array, issuer: Pair, log: Pair): Buffer {
  const moment = uint(8, signedAt.getTime())
  const entry = [
    uint(1, 0),
    uint(1, 0),
    moment,
    uint(2, 1),
    sha256(spki(issuer.publicKey)),
    uint(3, body.byteLength),
    body,
    uint(2, 0),
  ]
  const signature = sign('sha256', Buffer.concat(entry), log.privateKey)
  const one = Buffer.concat([
    uint(1, 0),
    sha256(spki(log.publicKey)),
    moment,
    uint(2, 0),
    Buffer.from([4, 3]),
    uint(2, signature.byteLength),
    signature,
  ])
  return Buffer.concat([uint(2, one.byteLength + 2), uint(2, one.byteLength), one])
}

/** The second entry of a log of two, with its promise and its proof. */
function entryOf(document: object, log: Pair, faults: Faults) {
  const { logKey = log, loggedAt = signedAt, changeBody = (text: string) => text } = faults
  const body = Buffer.from(changeBody(JSON.stringify(document)))
  const logId = sha256(spki(log.publicKey))
  const integratedTime = Math.floor(loggedAt.getTime() / 1000)
  const promised = { body: base64(body), integratedTime, logID: logId.toString('hex'), logIndex: 1 }
  const first = sha256(Buffer.from([0]), Buffer.from('the first entry'))
  const rootHash = sha256(Buffer.from([1]), first, sha256(Buffer.from([0]), body))
  const note = `${logName} - 1\n2\n${base64(rootHash)}\n`
  const signature = base64(
    Buffer.concat([logId.subarray(0, 4), sign('sha256', Buffer.from(note), logKey.privateKey)]),
  )
  return {
    logIndex: '1',
    logId: { keyId: base64(logId) },
    kindVersion: { kind: kindOf(document), version: '0.0.1' },
    integratedTime: String(integratedTime),
    inclusionPromise: {
      signedEntryTimestamp: base64(
        sign('sha256', Buffer.from(JSON.stringify(promised)), logKey.privateKey),
      ),
    },
    inclusionProof: {
      logIndex: '1',
      rootHash: base64(rootHash),
      treeSize: '2',
      hashes: [base64(first)],
      checkpoint: { envelope: `${note}\n\u2014 ${logName} ${signature}\n` },
    },
    canonicalizedBody: base64(body),
  }
}

function kindOf(document: object): string {
  return 'kind' in document ? String(document.kind) : ''
}

function logInstance({ publicKey }: Pair, baseUrl: string): object {
  const bytes = spki(publicKey)
  return {
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: base64(bytes),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: { start: start.toISOString() },
    },
    logId: { keyId: base64(sha256(bytes)) },
  }
}

function sha256Json(bytes: Uint8Array): object {
  return { algorithm: 'sha256', value: sha256(bytes).toString('hex') }
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

/** A whole number in so many bytes, the highest first. */
function uint(bytes: number, number: number): Buffer {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(number))
  return buffer.subarray(8 - bytes)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = base64(bytes).match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
