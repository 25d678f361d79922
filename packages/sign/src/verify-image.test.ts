import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { type Descriptor, mediaTypes } from '@katman/oci'
import { type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { beforeEach, describe, expect, it } from 'vitest'
import { signBytes } from './keys.ts'
import { signImage } from './sign-image.ts'
import { formatClaim } from './simple-signing.ts'
import { addTagSignature, signatureTag } from './tag-signatures.ts'
import { verifyImage } from './verify-image.ts'

let place: MemoryPlace
let image: Descriptor
let other: Descriptor
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const identity = 'registry.example/team/app:1'

beforeEach(() => {
  place = openMemoryPlace()
  image = place.add(mediaTypes.ociManifest, Buffer.from('{"one":1}'))
  other = place.add(mediaTypes.ociManifest, Buffer.from('{"two":2}'))
})

const sign = (key: KeyObject = pair.privateKey, annotations = {}): Promise<boolean> =>
  signImage(place, image, { key, identity, annotations })
const keys = [pair.publicKey]

/** A payload of any content, rightly signed, beside the image. */
async function attach(payload: Uint8Array): Promise<void> {
  const signature = signBytes(pair.privateKey, payload)
  await addTagSignature(place, image.digest, { payload, signature })
}

describe('signImage and verifyImage', () => {
  it('agree, and a second signature of the same claim is not added', async () => {
    expect(await sign()).toBe(true)
    expect(await sign()).toBe(false)
    expect(await sign(pair.privateKey, { who: 'me' })).toBe(true)
    const found = await verifyImage(place, image, { keys })
    expect(found).toMatchObject([
      { digest: image.digest, identity, annotations: {} },
      { digest: image.digest, identity, annotations: { who: 'me' } },
    ])
  })

  it('keep the signatures of others', async () => {
    await sign(stranger.privateKey)
    await sign()
    expect(await verifyImage(place, image, { keys: [stranger.publicKey] })).toHaveLength(1)
    expect(await verifyImage(place, image, { keys })).toHaveLength(1)
  })

  it('look at 100 signatures, not more', async () => {
    const payload = formatClaim({ digest: image.digest, identity, annotations: {} })
    const junk = place.add('application/vnd.dev.cosign.simplesigning.v1+json', payload)
    const layer = { ...junk, annotations: { 'dev.cosignproject.cosign/signature': 'AAAA' } }
    const config = place.add(mediaTypes.ociEmpty, Buffer.from('{}'))
    const layers = Array.from({ length: 100 }, () => layer)
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
    const root = place.add(mediaTypes.ociManifest, Buffer.from(JSON.stringify(manifest)))
    await place.tag(signatureTag(image.digest), root)
    await attach(payload)
    await expect(verifyImage(place, image, { keys })).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    })
  })
})

describe('verifyImage', () => {
  const refused = (
    options: Partial<Parameters<typeof verifyImage>[2]>,
    code: string,
    text: RegExp,
  ) =>
    expect(verifyImage(place, image, { keys, ...options })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(text) as string,
    })

  it('refuses an image without signature', async () => {
    await refused({}, 'SIGNATURE_UNKNOWN', /is not signed/)
  })

  it('refuses another key', async () => {
    await sign()
    await refused({ keys: [stranger.publicKey] }, 'SIGNATURE_INVALID', /not made with the key/)
    await refused({ keys: [] }, 'SIGNATURE_INVALID', /not made with the key/)
  })

  it('refuses a signature of another image (CVE-2023-33959)', async () => {
    await attach(formatClaim({ digest: other.digest, identity, annotations: {} }))
    await refused({}, 'SIGNATURE_INVALID', new RegExp(`is for ${other.digest}`))
  })

  it('refuses a payload that was changed after it was signed', async () => {
    const payload = formatClaim({ digest: other.digest, identity, annotations: {} })
    const signature = signBytes(pair.privateKey, payload)
    const changed = Buffer.from(payload.toString().replace(other.digest, image.digest))
    await addTagSignature(place, image.digest, { payload: changed, signature })
    await refused({}, 'SIGNATURE_INVALID', /payload was changed/)
  })

  it('refuses a signed payload that does not read (CVE-2026-39395)', async () => {
    const claim = formatClaim({ digest: image.digest, identity, annotations: {} })
    const said = claim.toString()
    const payloads = [
      'null',
      '[]',
      '{}',
      said.slice(0, -1),
      said.replace('cosign container image signature', 'else'),
      said.replace('"critical"', '"Critical"'),
      said.replace('"type"', '"more":1,"type"'),
      said.replace('"critical":', '"critical":{},"critical":'),
      said.replace(/"docker-reference":"[^"]*"/, '"docker-reference":5'),
    ]
    for (const payload of payloads) await attach(Buffer.from(payload))
    await refused({}, 'SIGNATURE_INVALID', /does not read|signature payload/)
  })

  it('compares the name and what is said beside only with verified signatures', async () => {
    await sign(pair.privateKey, { who: 'me' })
    const acceptIdentity = (text: string): boolean => text === 'registry.example/team/other:1'
    await refused({ acceptIdentity }, 'SIGNATURE_INVALID', /for the name/)
    await refused({ annotations: { who: 'you' } }, 'SIGNATURE_INVALID', /does not say who=you/)
    expect(await verifyImage(place, image, { keys, annotations: { who: 'me' } })).toHaveLength(1)
  })
})
