import { X509Certificate } from '@sigstore/core'
import { describe, expect, it } from 'vitest'
import {
  certificateBody,
  type CertificateDraft,
  newSerial,
  signCertificate,
} from '../test/own-sigstore/certificate.ts'
import { createOwnSigstore, newPair, signedAt } from '../test/own-sigstore/own-sigstore.ts'
import { leadsTo } from './certificate-chain.ts'

const own = createOwnSigstore()
const stranger = createOwnSigstore()
const leaf = X509Certificate.parse(
  own.certify({ email: 'a@b.example', oidcIssuer: 'https://issuer.example' }).pem,
)
const root = X509Certificate.parse(own.rootPem)
const middle = X509Certificate.parse(own.intermediatePem)
const strangers = [stranger.rootPem, stranger.intermediatePem].map((pem) =>
  X509Certificate.parse(pem),
)

function certify(draft: Omit<CertificateDraft, 'from' | 'to'>): X509Certificate {
  const [from, to] = [-60_000, 60_000].map((ms) => new Date(signedAt.getTime() + ms))
  const body = certificateBody(
    { ...draft, from: from ?? signedAt, to: to ?? signedAt },
    newSerial(),
  )
  return X509Certificate.parse(Buffer.from(signCertificate(body, draft.issuer.privateKey)))
}

describe('leadsTo', () => {
  const at = signedAt
  it('follows what was really issued up to what is believed', () => {
    expect(leadsTo([root], leaf, { intermediates: [middle], at })).toBe(true)
    expect(leadsTo([root], leaf, { intermediates: [...strangers, middle], at })).toBe(true)
    expect(leadsTo([middle], leaf, { intermediates: [], at })).toBe(true)
  })

  it('does not jump over what is missing, nor believe what comes along', () => {
    expect(leadsTo([root], leaf, { intermediates: [], at })).toBe(false)
    expect(leadsTo([], leaf, { intermediates: [middle, root], at })).toBe(false)
    expect(leadsTo(strangers, leaf, { intermediates: [middle, root], at })).toBe(false)
    // The names are the same, the keys are not.
    expect(leadsTo([root], leaf, { intermediates: strangers, at })).toBe(false)
  })

  it('takes no certificate for an authority that is none', () => {
    const authority = { subject: 'root', ...newPair() }
    const person = { subject: 'person', ...newPair() }
    const victim = { subject: '', ...newPair() }
    for (const isAuthority of [true, false]) {
      const top = certify({ ...authority, issuer: authority, isAuthority: true })
      const between = certify({ ...person, issuer: authority, isAuthority })
      const last = certify({ ...victim, issuer: person })
      expect(leadsTo([top], last, { intermediates: [between], at })).toBe(isAuthority)
      expect(leadsTo([between], last, { intermediates: [], at })).toBe(isAuthority)
    }
  })

  it('asks for the moment of signing', () => {
    for (const minutes of [-10, 10]) {
      const other = new Date(signedAt.getTime() + minutes * 60_000)
      expect(leadsTo([root], leaf, { intermediates: [middle], at: other })).toBe(false)
    }
  })
})
