import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { type Descriptor, mediaTypes } from '@katman/oci'
import { type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { beforeEach, describe, expect, it } from 'vitest'
import { addBundle, bundleType } from './bundle-signatures.ts'
import { type Envelope, signedBytes } from './dsse.ts'
import { signBytes } from './keys.ts'
import { signImage } from './sign-image.ts'
import { formatClaim } from './simple-signing.ts'
import { formatStatement } from './statement.ts'
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
      { layout: 'tag', digest: image.digest, identity, annotations: {} },
      { layout: 'tag', digest: image.digest, identity, annotations: { who: 'me' } },
      { layout: 'bundle', digest: image.digest, identity, annotations: {} },
      { layout: 'bundle', digest: image.digest, identity, annotations: { who: 'me' } },
    ])
  })

  it('keep the signatures of others', async () => {
    await sign(stranger.privateKey)
    await sign()
    expect(await verifyImage(place, image, { keys: [stranger.publicKey] })).toHaveLength(2)
    expect(await verifyImage(place, image, { keys })).toHaveLength(2)
  })

  it('lose no signature when another is put there at the same moment', async () => {
    let races = 1
    const slow = {
      ...place,
      async tag(name: string, root: Descriptor) {
        await place.tag(name, root)
        // Someone who had not seen ours replaces the list.
        if (races-- <= 0 || !name.endsWith('.sig')) return
        await place.tag(name, place.add(mediaTypes.ociManifest, emptyList()))
        await sign(stranger.privateKey)
      },
    }
    await signImage(slow, image, { key: pair.privateKey, identity, annotations: {} })
    const layouts = ['tag'] as const
    for (const { publicKey } of [pair, stranger]) {
      expect(await verifyImage(place, image, { keys: [publicKey], layouts })).toHaveLength(1)
    }
    const never = { ...slow, tag: async () => {} }
    const other = { key: pair.privateKey, identity: 'a.example/b:2', annotations: {} }
    await expect(signImage(never, image, other)).rejects.toMatchObject({
      code: 'SIGNATURE_CONFLICT',
    })
  })

  function emptyList(): Uint8Array {
    const config = place.add(mediaTypes.ociEmpty, Buffer.from('{}'))
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }
    return Buffer.from(JSON.stringify(manifest))
  }

  it('look at 100 signatures, not more', async () => {
    const payload = formatClaim({ digest: image.digest, identity, annotations: {} })
    const junk = place.add('application/vnd.dev.cosign.simplesigning.v1+json', payload)
    const layer = { ...junk, annotations: { 'dev.cosignproject.cosign/signature': 'AAAA' } }
    const config = place.add(mediaTypes.ociEmpty, Buffer.from('{}'))
    const layers = Array.from({ length: 100 }, () => layer)
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }
    const root = place.add(mediaTypes.ociManifest, Buffer.from(JSON.stringify(manifest)))
    await place.tag(signatureTag(image.digest), root)
    // One more would not be seen: then signing says so.
    await expect(attach(payload)).rejects.toMatchObject({ code: 'SIGNATURES_FULL' })
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
    await refused({}, 'SIGNATURE_INVALID', /what it signs was changed/)
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
    expect(await verifyImage(place, image, { keys, annotations: { who: 'me' } })).toHaveLength(2)
  })
})

describe('bundles', () => {
  const only = { layouts: ['bundle'] } as const

  async function attachBundle(message: Pick<Envelope, 'payload' | 'payloadType'>): Promise<void> {
    const signature = signBytes(pair.privateKey, signedBytes(message))
    const envelope = { ...message, signature }
    await addBundle(place, image, { envelope, key: pair.publicKey, now: new Date(0) })
  }
  const refused = (text: RegExp) =>
    expect(verifyImage(place, image, { keys, ...only })).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
      message: expect.stringMatching(text) as string,
    })

  it('are refused for another image, with another key, and as attestations', async () => {
    await attachBundle(formatStatement(other.digest, { annotations: {} }))
    await refused(/is for another image/)
    const byStranger = verifyImage(place, image, { keys: [stranger.publicKey], ...only })
    await expect(byStranger).rejects.toThrow(/not made with the key/)
    const { payload, payloadType } = formatStatement(image.digest, { annotations: {} })
    const attestation = payload
      .toString()
      .replace(/https:\/\/sigstore[^"]*/, 'https://spdx.dev/Document')
    await attachBundle({ payloadType, payload: Buffer.from(attestation) })
    await refused(/attests https:\/\/spdx.dev\/Document and signs no image/)
  })

  it('are refused when the signed message does not read', async () => {
    const { payload, payloadType } = formatStatement(image.digest, { annotations: {} })
    const said = payload.toString()
    for (const text of ['null', '{}', said.replace('_type', 'type'), `${said} `.repeat(2)]) {
      await attachBundle({ payloadType, payload: Buffer.from(text) })
    }
    await attachBundle({ payloadType: 'text/plain', payload })
    await refused(/no in-toto statement/)
  })

  it('have no name when cosign made them: then none that is asked for fits', async () => {
    await attachBundle(formatStatement(image.digest, { annotations: {} }))
    expect(await verifyImage(place, image, { keys, ...only })).toHaveLength(1)
    const named = verifyImage(place, image, { keys, ...only, acceptIdentity: () => true })
    await expect(named).rejects.toThrow(/names no image/)
  })

  it('that refer to another image do not count, whatever the list says', async () => {
    const root = await attachOther()
    const lying = { ...place, referrers: async () => [{ ...root, artifactType: bundleType }] }
    const result = verifyImage(lying, image, { keys, ...only })
    await expect(result).rejects.toMatchObject({ code: 'SIGNATURE_UNKNOWN' })
  })

  async function attachOther(): Promise<Descriptor> {
    const message = formatStatement(image.digest, { annotations: {} })
    const signature = signBytes(pair.privateKey, signedBytes(message))
    const envelope = { ...message, signature }
    return addBundle(place, other, { envelope, key: pair.publicKey, now: new Date(0) })
  }
})
