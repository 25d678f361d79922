import { type KeyObject, X509Certificate } from 'node:crypto'
import { KatmanError, parseJson } from '@katman/oci'
import type { Bundle } from '@sigstore/bundle'
import type { TrustMaterial } from '@sigstore/verify'
import { leadsTo } from './certificate-chain.ts'
import { bundleInvalid } from './dsse.ts'
import { asObject } from './json-object.ts'
import { parsePem } from './pem.ts'

/** Whom to believe: certificate authorities and logs, as `trusted_root.json` of Sigstore lists them. */
export interface TrustRoot {
  readonly material: TrustMaterial
}

/** Which certificate must have signed. */
export interface CertificateTrust {
  readonly root: TrustRoot
  /** Whom it names: an e-mail address or a URI, exactly. */
  readonly subject: string
  /** Who vouched for that: the OIDC issuer, exactly. */
  readonly issuer: string
  /** True: certificates need not be in a certificate log (SCT). Default false. */
  readonly ignoreCertificateLog?: boolean
}

const codeSigning = '1.3.6.1.5.5.7.3.3'
const issuerExtension = '1.3.6.1.4.1.57264.1.8'
const olderIssuerExtension = '1.3.6.1.4.1.57264.1.1'
const thresholds = { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 } as const

/** Reads a `trusted_root.json`; for keys it needs no authority. Throws `TRUST_ROOT_INVALID`. */
export async function readTrustRoot(
  bytes: Uint8Array,
  what: string,
  options: { readonly isForKeys?: boolean } = {},
): Promise<TrustRoot> {
  const [{ TrustedRoot }, { toTrustMaterial }] = await Promise.all([
    import('@sigstore/protobuf-specs'),
    import('@sigstore/verify'),
  ])
  try {
    const root = TrustedRoot.fromJSON(plainJson(bytes, what))
    if (root.certificateAuthorities.length === 0 && !options.isForKeys) {
      throw new Error('it names no authority')
    }
    return { material: toTrustMaterial(root) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new KatmanError('TRUST_ROOT_INVALID', `${what} is no trusted root: ${reason}`, {
      hint: 'take trusted_root.json from your Sigstore, or its public one with: cosign trusted-root',
      details: { what, reason },
      cause,
    })
  }
}

/** Reads a bundle whole. Throws `BUNDLE_INVALID`, `JSON_INVALID`. */
export async function parseBundle(bytes: Uint8Array): Promise<Bundle> {
  const { bundleFromJSON } = await import('@sigstore/bundle')
  const document = plainJson(bytes, 'Sigstore bundle')
  try {
    return bundleFromJSON(document)
  } catch (cause) {
    throw bundleInvalid(cause instanceof Error ? cause.message : String(cause), cause)
  }
}

/**
 * Checks a bundle without network: the certificate comes from an authority of the trust root, is for signing code, was
 * in a log of certificates, and was valid when a log of signatures took this very signature; the signature holds; and the
 * certificate names who is wanted. `artifact` is what a signature without message is over. Resolves with why not.
 */
export async function whyNotCertified(
  bundle: Bundle,
  artifact: Uint8Array,
  trust: CertificateTrust,
  intermediates: readonly Uint8Array[] = [],
): Promise<string | undefined> {
  const leaf = leafOf(bundle)
  if (leaf === undefined) return 'a bundle was signed with a key, not with a certificate'
  try {
    const identity = trust.ignoreCertificateLog
      ? await identityWithoutLog(bundle, artifact, leaf, { trust, intermediates })
      : await identityOf(bundle, artifact, trust)
    if (!isLogged(bundle, leaf)) return 'an entry of a log is for another certificate'
    const uses = new X509Certificate(leaf).keyUsage ?? []
    if (!uses.includes(codeSigning)) return 'a certificate is not for signing code'
    const { subject, issuer } = identity
    // The library compares names as patterns, so names are compared here.
    if (subject === trust.subject && issuer === trust.issuer) return undefined
    return `a signature is by ${JSON.stringify(subject)}, as ${JSON.stringify(issuer)} says`
  } catch (error) {
    return notHeld(error)
  }
}

interface Identity {
  readonly subject: string | undefined
  readonly issuer: string | undefined
}

/** Everything by the library. */
async function identityOf(
  bundle: Bundle,
  artifact: Uint8Array,
  { root }: CertificateTrust,
): Promise<Identity> {
  const { toSignedEntity, Verifier } = await import('@sigstore/verify')
  const verifier = new Verifier(root.material, thresholds)
  const { identity } = verifier.verify(toSignedEntity(bundle, Buffer.from(artifact)))
  return { subject: identity?.subjectAlternativeName, issuer: identity?.extensions?.issuer }
}

/**
 * The library checks what it finds of logs of certificates, and believes what lies between a certificate and a root. So
 * the chain is checked here, and the library checks the rest as for a key.
 */
async function identityWithoutLog(
  bundle: Bundle,
  artifact: Uint8Array,
  leaf: Uint8Array,
  options: { readonly trust: CertificateTrust; readonly intermediates: readonly Uint8Array[] },
): Promise<Identity> {
  const { X509Certificate: Certificate } = await import('@sigstore/core')
  const { material } = options.trust.root
  const certificate = Certificate.parse(Buffer.from(leaf))
  await verifyAsKey(bundle, artifact, new X509Certificate(leaf).publicKey, options.trust.root)
  const intermediates = options.intermediates.map((bytes) => Certificate.parse(Buffer.from(bytes)))
  for (const at of loggedAt(bundle)) {
    const anchors = material.certificateAuthorities
      .filter(({ validFor }) => validFor.start <= at && at <= validFor.end)
      .flatMap(({ certChain }) => certChain)
    if (!leadsTo(anchors, certificate, { intermediates, at })) {
      throw new Error('no valid chain of certificates leads to an authority')
    }
  }
  const own = certificate.extension(issuerExtension)?.valueObj.subs[0]?.value
  const older = certificate.extension(olderIssuerExtension)?.value
  return {
    subject: certificate.subjectAltName,
    issuer: (own ?? older)?.toString('utf8'),
  }
}

/** The moments a log has signed. */
function loggedAt({ verificationMaterial: { tlogEntries } }: Bundle): readonly Date[] {
  const moments = tlogEntries
    .filter(({ inclusionPromise, integratedTime }) => inclusionPromise && integratedTime !== '0')
    .map(({ integratedTime }) => new Date(Number(integratedTime) * 1000))
  if (moments.length > 0) return moments
  throw new Error('no log says when')
}

/** Checks that a log took a signature that was made with a key. Resolves with why not. */
export async function whyNotLogged(
  bundle: Bundle,
  artifact: Uint8Array,
  key: KeyObject,
  root: TrustRoot,
): Promise<string | undefined> {
  try {
    await verifyAsKey(bundle, artifact, key, root)
    const spki = key.export({ format: 'der', type: 'spki' })
    return isLogged(bundle, spki) ? undefined : 'an entry of a log is for another key'
  } catch (error) {
    return notHeld(error)
  }
}

/** Signature, log and time by the library, with a key that is believed. */
async function verifyAsKey(
  bundle: Bundle,
  artifact: Uint8Array,
  key: KeyObject,
  root: TrustRoot,
): Promise<void> {
  const { toSignedEntity, Verifier } = await import('@sigstore/verify')
  const publicKey = (): { publicKey: KeyObject; validFor: () => boolean } => ({
    publicKey: key,
    validFor: () => true,
  })
  const verifier = new Verifier({ ...root.material, publicKey }, thresholds)
  const entity = toSignedEntity(bundle, Buffer.from(artifact))
  verifier.verify({ ...entity, key: { $case: 'public-key', hint: '' } })
}

/** Whatever the library could not read, it has not verified. */
function notHeld(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
  const text = error instanceof Error ? error.message : String(error)
  return `a bundle does not hold: ${cause === undefined ? text : `${text}: ${cause.message}`}`
}

function leafOf({ verificationMaterial: { content } }: Bundle): Buffer | undefined {
  switch (content.$case) {
    case 'certificate':
      return content.certificate.rawBytes
    case 'x509CertificateChain':
      return content.x509CertificateChain.certificates[0]?.rawBytes
    case 'publicKey':
      return undefined
  }
}

/** The library compares what was logged with the signature; certificate or key must be the one that was logged, too. */
function isLogged({ verificationMaterial: { tlogEntries } }: Bundle, signer: Uint8Array): boolean {
  return tlogEntries.every(({ canonicalizedBody, kindVersion }) => {
    // Entries of the second version are hashes of all that was signed, which the library has checked.
    if (kindVersion?.version !== '0.0.1') return kindVersion !== undefined
    const spec = asObject(asObject(parseJson(canonicalizedBody, 'log entry'))?.['spec'])
    const signatures = spec?.['signatures']
    const [dsse] = Array.isArray(signatures) ? signatures : []
    const record = asObject(asObject(spec?.['signature'])?.['publicKey'])?.['content']
    const logged = asObject(dsse)?.['verifier'] ?? record
    if (typeof logged !== 'string') return false
    const [block] = parsePem(Buffer.from(logged, 'base64').toString(), 'the certificate in a log')
    return block !== undefined && Buffer.compare(block.bytes, signer) === 0
  })
}

/** JSON as the libraries want it, once every parser reads it alike. */
function plainJson(bytes: Uint8Array, what: string): unknown {
  parseJson(bytes, what)
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown
}
