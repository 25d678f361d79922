import { type Descriptor, mediaTypes, parseReference } from '@katman/oci'
import { type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type Certified,
  createOwnSigstore,
  type Faults,
  newPair,
  type OwnSigstore,
} from '../test/own-sigstore/own-sigstore.ts'
import { admitImage } from './admit-image.ts'
import { publicKeyPem, signBytes } from './keys.ts'
import { parsePolicy } from './policy-file.ts'
import { registrySubject } from './policy-scopes.ts'
import { formatClaim } from './simple-signing.ts'
import { signatureTag } from './tag-signatures.ts'

const reference = parseReference('registry.example/team/app:1')
const alice = { email: 'alice@example.com', oidcIssuer: 'https://issuer.example' }
const base64 = (text: string): string => Buffer.from(text).toString('base64')

let sigstore: OwnSigstore
let place: MemoryPlace
let image: Descriptor

beforeEach(() => {
  sigstore = createOwnSigstore()
  place = openMemoryPlace()
  image = place.add(mediaTypes.ociManifest, Buffer.from('{"one":1}'))
})

/** Signs under the tag of the image, as cosign did before version 3. */
async function attach(
  certified: Certified,
  options: { readonly by?: OwnSigstore; readonly faults?: Faults; readonly without?: string } = {},
): Promise<void> {
  const { by = sigstore, faults, without } = options
  const identity = 'registry.example/team/app:1'
  const payload = formatClaim({ digest: image.digest, identity, annotations: {} })
  const signature = signBytes(certified.privateKey, payload)
  const annotations = Object.fromEntries(
    Object.entries(by.annotations(payload, signature, certified, faults)).filter(
      ([name]) => name !== without,
    ),
  )
  const type = 'application/vnd.dev.cosign.simplesigning.v1+json'
  const layers = [place.add(type, payload, { annotations })]
  const config = place.add(mediaTypes.ociEmpty, Buffer.from('{}'))
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
  const root = place.add(mediaTypes.ociManifest, Buffer.from(JSON.stringify(manifest)))
  await place.tag(signatureTag(image.digest), root)
}

function admit(requirement: object): Promise<void> {
  const policy = { default: [{ type: 'sigstoreSigned', ...requirement }] }
  const parsed = parsePolicy(Buffer.from(JSON.stringify(policy)), 'policy.json')
  return admitImage(parsed, { source: place, subject: registrySubject(reference), root: image })
}
const refused = (requirement: object, text: RegExp) =>
  expect(admit(requirement)).rejects.toMatchObject({
    code: 'POLICY_REJECTED',
    message: expect.stringMatching(text) as string,
  })

describe('admitImage with an authority', () => {
  const wanted = (authority: string, more: object = {}): object => ({
    fulcio: {
      caData: base64(authority),
      oidcIssuer: alice.oidcIssuer,
      subjectEmail: alice.email,
      ...more,
    },
    rekorPublicKeyData: base64(sigstore.logPem),
  })

  it('admits what a certificate of it signed, while that was valid', async () => {
    await attach(sigstore.certify(alice))
    await admit(wanted(sigstore.rootPem))
    await refused(wanted(sigstore.rootPem, { subjectEmail: 'bob@example.com' }), /is by "alice/)
    await refused(wanted(sigstore.rootPem, { oidcIssuer: 'https://else' }), /is by "alice/)
  })

  it('does not believe the authorities that a signature brings along', async () => {
    const stranger = createOwnSigstore()
    await attach(stranger.certify(alice), { by: stranger })
    const logs = { rekorPublicKeyData: base64(stranger.logPem) }
    await refused({ ...wanted(sigstore.rootPem), ...logs }, /no valid chain/)
    await admit({ ...wanted(stranger.rootPem), ...logs })
  })

  it('refuses an intermediate authority that had run out', async () => {
    const ended = createOwnSigstore(new Date('2026-03-02T09:00:00Z'))
    await attach(ended.certify(alice), { by: ended })
    const logs = { rekorPublicKeyData: base64(ended.logPem) }
    await refused({ ...wanted(ended.rootPem), ...logs }, /no valid chain/)
  })

  it('refuses a signature that no log has, or another log', async () => {
    await attach(sigstore.certify(alice), { without: 'dev.sigstore.cosign/bundle' })
    await refused(wanted(sigstore.rootPem), /no entry of a log/)
    const faults = { logKey: newPair() }
    await attach(sigstore.certify(alice, faults), { faults })
    await refused(wanted(sigstore.rootPem), /does not hold/)
  })
})

describe('admitImage with a key and a log', () => {
  it('admits only what the log has', async () => {
    const pair = newPair()
    const pem = publicKeyPem(pair.publicKey)
    const signer = { ...pair, pem, der: Buffer.alloc(0) }
    const key = { keyData: base64(pem) }
    const log = { rekorPublicKeyData: base64(sigstore.logPem) }
    const without = 'dev.sigstore.cosign/certificate'
    await attach(signer, { without })
    await admit({ ...key, ...log })
    await refused(
      { ...key, rekorPublicKeyData: base64(createOwnSigstore().logPem) },
      /does not hold/,
    )
    await attach(signer, { without: 'dev.sigstore.cosign/bundle' })
    await admit(key)
    await refused({ ...key, ...log }, /no entry of a log/)
  })

  it('says which file of the policy cannot be read', async () => {
    await attach(sigstore.certify(alice))
    await expect(admit({ keyPath: '/none/key.pub' })).rejects.toMatchObject({
      code: 'POLICY_INVALID',
      message: expect.stringContaining('/none/key.pub') as string,
    })
  })
})
