import { X509Certificate } from 'node:crypto'
import { KatmanError, parseJson } from '@katman/oci'
import type { Bundle } from '@sigstore/bundle'
import type { TrustMaterial } from '@sigstore/verify'
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

/** Reads a `trusted_root.json`. Throws `TRUST_ROOT_INVALID`. */
export async function readTrustRoot(bytes: Uint8Array, what: string): Promise<TrustRoot> {
  const [{ TrustedRoot }, { toTrustMaterial }] = await Promise.all([
    import('@sigstore/protobuf-specs'),
    import('@sigstore/verify'),
  ])
  try {
    const root = TrustedRoot.fromJSON(plainJson(bytes, what))
    if (root.certificateAuthorities.length === 0) throw new Error('it names no authority')
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
): Promise<string | undefined> {
  const leaf = leafOf(bundle)
  if (leaf === undefined) return 'a bundle was signed with a key, not with a certificate'
  const { toSignedEntity, Verifier } = await import('@sigstore/verify')
  const verifier = new Verifier(trust.root.material, {
    ctlogThreshold: trust.ignoreCertificateLog ? 0 : 1,
    tlogThreshold: 1,
    timestampThreshold: 1,
  })
  try {
    const entity = toSignedEntity(bundle, Buffer.from(artifact))
    // The library compares names as patterns, so names are compared here.
    const { identity } = verifier.verify(entity)
    if (!isLogged(bundle, leaf)) return 'an entry of a log is for another certificate'
    const uses = new X509Certificate(leaf).keyUsage ?? []
    if (!uses.includes(codeSigning)) return 'a certificate is not for signing code'
    const subject = identity?.subjectAlternativeName
    const issuer = identity?.extensions?.issuer
    if (subject === trust.subject && issuer === trust.issuer) return undefined
    return `a signature is by ${JSON.stringify(subject)}, as ${JSON.stringify(issuer)} says`
  } catch (error) {
    // Whatever the library could not read, it has not verified.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : undefined
    const text = error instanceof Error ? error.message : String(error)
    return `a bundle does not hold: ${cause === undefined ? text : `${text}: ${cause.message}`}`
  }
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

/** The library compares what was logged with the signature; the certificate must be the one that was logged, too. */
function isLogged({ verificationMaterial: { tlogEntries } }: Bundle, leaf: Uint8Array): boolean {
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
    return block !== undefined && Buffer.compare(block.bytes, leaf) === 0
  })
}

/** JSON as the libraries want it, once every parser reads it alike. */
function plainJson(bytes: Uint8Array, what: string): unknown {
  parseJson(bytes, what)
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown
}
