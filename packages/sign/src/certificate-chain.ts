import type { X509Certificate } from '@sigstore/core'

/** Certificates that a signature brings along: no more are looked at. */
const maxIntermediates = 4
const nameConstraints = '2.5.29.30'

/**
 * True when a chain of valid certificates leads from a leaf to one that is believed, at this moment (RFC 5280). What lies
 * between need not be believed, only really issued. Authorities with constraints on names are passed over.
 */
export function leadsTo(
  anchors: readonly X509Certificate[],
  leaf: X509Certificate,
  options: { readonly intermediates: readonly X509Certificate[]; readonly at: Date },
): boolean {
  const { at } = options
  const intermediates = options.intermediates.slice(0, maxIntermediates)
  /** `below` authorities stand between this certificate and the leaf, itself among them. */
  const reaches = (certificate: X509Certificate, below: number): boolean => {
    if (!certificate.validForDate(at) || below > maxIntermediates) return false
    const issuedBy = (issuer: X509Certificate): boolean => issues(issuer, certificate, below)
    return (
      anchors.some((issuer) => issuer.validForDate(at) && issuedBy(issuer)) ||
      intermediates.some((issuer) => issuedBy(issuer) && reaches(issuer, below + 1))
    )
  }
  return reaches(leaf, 0)
}

function issues(issuer: X509Certificate, certificate: X509Certificate, below: number): boolean {
  const longest = issuer.extBasicConstraints?.pathLenConstraint
  return (
    issuer.isCA &&
    issuer.subject.equals(certificate.issuer) &&
    (longest === undefined || longest >= below) &&
    issuer.extension(nameConstraints) === undefined &&
    certificate.verify(issuer)
  )
}
