import { type Descriptor, mediaTypes } from '@katman/oci'
import { type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type Certified,
  createOwnSigstore,
  type Faults,
  newPair,
  type OwnSigstore,
  signedAt,
} from '../test/own-sigstore/own-sigstore.ts'
import { signedBytes } from './dsse.ts'
import { type CertificateTrust, readTrustRoot } from './keyless.ts'
import { signBytes } from './keys.ts'
import { formatClaim } from './simple-signing.ts'
import { formatStatement } from './statement.ts'
import { tagBundle } from './tag-bundle.ts'
import { signatureTag } from './tag-signatures.ts'
import { verifyImage } from './verify-image.ts'

const alice = { email: 'alice@example.com', oidcIssuer: 'https://issuer.example' }
const minute = 60_000

let sigstore: OwnSigstore
let trust: CertificateTrust
let place: MemoryPlace
let image: Descriptor
let other: Descriptor

beforeEach(async () => {
  sigstore = createOwnSigstore()
  trust = await trustIn(sigstore)
  place = openMemoryPlace()
  image = place.add(mediaTypes.ociManifest, Buffer.from('{"one":1}'))
  other = place.add(mediaTypes.ociManifest, Buffer.from('{"two":2}'))
})

async function trustIn({
  trustedRoot,
}: Pick<OwnSigstore, 'trustedRoot'>): Promise<CertificateTrust> {
  const bytes = Buffer.from(JSON.stringify(trustedRoot))
  const root = await readTrustRoot(bytes, 'trusted_root.json')
  return { root, subject: alice.email, issuer: alice.oidcIssuer }
}

interface Signing {
  readonly by?: OwnSigstore
  readonly faults?: Faults
  readonly of?: Descriptor
  /** Changes the finished bundle. */
  readonly change?: (bundle: string) => string
}

/** A bundle as cosign writes it with a certificate, as text. */
function bundleFor({
  by = sigstore,
  faults = {},
  of = image,
  change = (text) => text,
}: Signing = {}): Buffer {
  const certified = by.certify(alice, faults)
  const message = formatStatement(of.digest, { annotations: {} })
  const signature = signBytes(certified.privateKey, signedBytes(message))
  const bundle = by.bundle({ ...message, signature }, certified, faults)
  return Buffer.from(change(JSON.stringify(bundle)))
}

const verify = (bundle: Uint8Array, certificate = trust) =>
  verifyImage(place, image, { certificate, bundles: [bundle] })
const refused = (bundle: Uint8Array, text: RegExp, certificate = trust) =>
  expect(verify(bundle, certificate)).rejects.toMatchObject({
    code: 'SIGNATURE_INVALID',
    message: expect.stringMatching(text) as string,
  })

describe('a bundle that was signed with a certificate', () => {
  it('holds without network when authority, logs and identity are believed', async () => {
    expect(await verify(bundleFor())).toEqual([
      {
        layout: 'bundle',
        digest: image.digest,
        annotations: {},
        certificate: { subject: alice.email, issuer: alice.oidcIssuer },
      },
    ])
  })

  it('is refused for another identity: names are compared whole, not as patterns', async () => {
    const bundle = bundleFor()
    await refused(bundle, /is by "alice@example.com"/, { ...trust, subject: 'bob@example.com' })
    await refused(bundle, /is by/, { ...trust, subject: 'alice@example' })
    await refused(bundle, /is by/, { ...trust, subject: '.*' })
    await refused(bundle, /as "https:\/\/issuer.example" says/, {
      ...trust,
      issuer: 'https://issuer',
    })
    await refused(bundle, /is by/, { ...trust, issuer: '' })
  })

  it('is refused when it signs another image', async () => {
    await refused(bundleFor({ of: other }), /is for another image/)
  })

  it('is refused when another authority made the certificate', async () => {
    await refused(bundleFor({ by: createOwnSigstore() }), /does not hold/)
  })

  it('is refused when the certificate had run out when it was logged', async () => {
    const loggedAt = new Date(signedAt.getTime() + 10 * minute)
    await refused(bundleFor({ faults: { loggedAt } }), /Failed to verify certificate chain/)
  })

  it('is refused when the intermediate authority had run out (CVE-2026-24122)', async () => {
    const ended = createOwnSigstore(new Date(signedAt.getTime() - minute))
    await refused(bundleFor({ by: ended }), /Failed to verify/, await trustIn(ended))
  })

  it('is refused when no log of certificates has the certificate, unless that is not asked', async () => {
    const bundle = bundleFor({ faults: { certificateLogKey: null } })
    await refused(bundle, /expected 1 SCTs, got 0/)
    expect(await verify(bundle, { ...trust, ignoreCertificateLog: true })).toHaveLength(1)
    await refused(
      bundleFor({ faults: { certificateLogKey: newPair() } }),
      /SCT verification failed/,
    )
  })

  it('is refused when another log promised the entry', async () => {
    await refused(bundleFor({ faults: { logKey: newPair() } }), /does not hold/)
  })

  it('is refused when the entry of the log is for another signature (CVE-2026-22703)', async () => {
    const swapped = JSON.parse(bundleFor().toString()) as Bundle
    const { tlogEntries } = (JSON.parse(bundleFor().toString()) as Bundle).verificationMaterial
    swapped.verificationMaterial.tlogEntries = tlogEntries
    await refused(Buffer.from(JSON.stringify(swapped)), /signature mismatch/)
  })

  it('is refused when another certificate was logged with the signature', async () => {
    const { pem } = sigstore.certify(alice)
    const changeBody = (body: string): string =>
      body.replace(/"verifier":"[^"]*"/, `"verifier":"${Buffer.from(pem).toString('base64')}"`)
    await refused(bundleFor({ faults: { changeBody } }), /is for another certificate/)
  })

  it('is refused without an entry of a log, or without proof of it (CVE-2022-23649)', async () => {
    const bare = JSON.parse(bundleFor().toString()) as Bundle
    bare.verificationMaterial.tlogEntries = []
    await refused(Buffer.from(JSON.stringify(bare)), /expected 1/)
    const unproven = bundleFor({
      change: (text) =>
        text.replace(/"inclusionPromise":\{[^}]*\},/, '').replace('"inclusionProof"', '"x"'),
    })
    await refused(unproven, /does not read|does not hold/)
  })

  it('is refused when the proof leads to another root of the log', async () => {
    const change = (text: string): string => text.replace(/"hashes":\["[^"]{4}/, '"hashes":["AAAA')
    await refused(bundleFor({ change }), /does not hold/)
  })

  it('is refused when the certificate is for something else than signing code', async () => {
    const faults = { extendedUse: '1.3.6.1.5.5.7.3.1' }
    await refused(bundleFor({ faults }), /is not for signing code/)
  })

  it('is refused when message or signature were changed', async () => {
    const changed = JSON.parse(bundleFor().toString()) as Bundle
    const message = formatStatement(image.digest, { identity: 'else', annotations: {} })
    changed.dsseEnvelope.payload = Buffer.from(message.payload).toString('base64')
    await refused(Buffer.from(JSON.stringify(changed)), /does not hold/)
  })

  it('is refused when it does not read', async () => {
    for (const text of ['', 'null', '{}', '[]', bundleFor().toString().slice(0, -1)]) {
      await refused(Buffer.from(text), /does not read|Sigstore bundle/)
    }
    await refused(bundleFor({ change: (text) => text.replace('v0.3', 'v9.9') }), /media type/)
    const twice = bundleFor({ change: (text) => text.replace('{', '{"dsseEnvelope":{},') })
    await refused(twice, /duplicate key/)
  })

  it('may sign the manifest itself, without a message', async () => {
    const certified = sigstore.certify(alice)
    for (const [text, holds] of [
      ['{"one":1}', true],
      ['{"two":2}', false],
    ] as const) {
      const payload = Buffer.from(text)
      const signature = signBytes(certified.privateKey, payload)
      const annotations = sigstore.annotations(payload, signature, certified)
      const bundle = tagBundle({ payload, signature, annotations }, certified.der)
      if (holds) expect(await verify(bundle)).toHaveLength(1)
      else await refused(bundle, /does not hold/)
    }
  })

  it('does not pass where a key is asked, nor a bundle of a key where a certificate is', async () => {
    const bundles = [bundleFor()]
    const withKey = verifyImage(place, image, { keys: [newPair().publicKey], bundles })
    await expect(withKey).rejects.toThrow(/not made with the key/)
    const neither = verifyImage(place, image, { bundles })
    await expect(neither).rejects.toThrow(/not made with the key/)
    const change = (text: string): string =>
      text.replace(/"certificate":\{[^}]*\}/, '"publicKey":{"hint":"x"}')
    await refused(bundleFor({ change }), /signed with a key/)
  })
})

describe('a signature under a tag that was made with a certificate', () => {
  async function attach(of: Descriptor, faults: Faults = {}): Promise<void> {
    const identity = 'registry.example/team/app:1'
    const certified: Certified = sigstore.certify(alice, faults)
    const payload = formatClaim({ digest: of.digest, identity, annotations: {} })
    const signature = signBytes(certified.privateKey, payload)
    const annotations = sigstore.annotations(payload, signature, certified, faults)
    const type = 'application/vnd.dev.cosign.simplesigning.v1+json'
    const layer = place.add(type, payload, { annotations })
    const config = place.add(mediaTypes.ociEmpty, Buffer.from('{}'))
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config,
      layers: [layer],
    }
    const root = place.add(mediaTypes.ociManifest, Buffer.from(JSON.stringify(manifest)))
    await place.tag(signatureTag(image.digest), root)
  }

  it('holds by its certificate and its entry of the log', async () => {
    await attach(image)
    expect(await verifyImage(place, image, { certificate: trust })).toMatchObject([
      {
        layout: 'tag',
        identity: 'registry.example/team/app:1',
        certificate: { subject: alice.email },
      },
    ])
  })

  it('is refused for another image, another identity, another log, or too late', async () => {
    const refusedWith = (certificate: CertificateTrust, text: RegExp) =>
      expect(verifyImage(place, image, { certificate })).rejects.toThrow(text)
    await attach(other)
    await refusedWith(trust, new RegExp(`is for ${other.digest}`))
    await attach(image)
    await refusedWith({ ...trust, subject: 'bob@example.com' }, /is by "alice/)
    await attach(image, { logKey: newPair() })
    await refusedWith(trust, /does not hold/)
    await attach(image, { loggedAt: new Date(signedAt.getTime() + 10 * minute) })
    await refusedWith(trust, /does not hold/)
    await attach(image, { changeBody: (body) => body.replace(/"value":"../, '"value":"zz') })
    await refusedWith(trust, /does not hold/)
  })
})

describe('readTrustRoot', () => {
  it('refuses what is none', async () => {
    for (const text of [
      '',
      '{}',
      '[]',
      '{"certificateAuthorities":[]}',
      '{"certificateAuthorities":5}',
    ]) {
      const read = readTrustRoot(Buffer.from(text), 'root.json')
      await expect(read).rejects.toMatchObject({ code: 'TRUST_ROOT_INVALID' })
    }
  })
})

interface Bundle {
  readonly verificationMaterial: { tlogEntries: unknown[] }
  readonly dsseEnvelope: { payload: string }
}
