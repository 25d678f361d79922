import { generateKeyPairSync } from 'node:crypto'
import { type Descriptor, KatmanError, mediaTypes } from '@katman/oci'
import { type MemoryPlace, openMemoryPlace, type Source } from '@katman/transfer'
import { beforeEach, describe, expect, it } from 'vitest'
import { bundleType } from './bundle-signatures.ts'
import { signImage } from './sign-image.ts'
import { signatureTag } from './tag-signatures.ts'
import { verifyImage } from './verify-image.ts'

let place: MemoryPlace
let image: Descriptor
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const keys = [pair.publicKey]
const options = { key: pair.privateKey, identity: 'registry.example/team/app:1' }

beforeEach(() => {
  place = openMemoryPlace()
  image = place.add(mediaTypes.ociManifest, Buffer.from('{"one":1}'))
})

const failing = (code: string): Source & MemoryPlace => ({
  ...place,
  referrers: async () => {
    throw new KatmanError(code, `the list fails: ${code}`)
  },
})
/** The place with one more bundle, listed first, whose size is a lie. */
function withLie(): Source & MemoryPlace {
  const real = place.add(mediaTypes.ociManifest, Buffer.from('{"lie":1}'))
  const lie = { ...real, size: real.size + 1, artifactType: bundleType }
  return {
    ...place,
    referrers: async (subject, call) => [lie, ...(await place.referrers(subject, call))],
  }
}
const layoutsOf = async (source: Source): Promise<readonly string[]> =>
  (await verifyImage(source, image, { keys })).map(({ layout }) => layout)

describe('a signature that holds', () => {
  it('holds beside a bundle that does not read', async () => {
    await signImage(place, image, options)
    expect(await layoutsOf(withLie())).toEqual(['tag', 'bundle'])
  })

  it('as a bundle holds beside a tag that is none', async () => {
    await signImage(place, image, { ...options, layouts: ['bundle'] })
    const none = place.add(mediaTypes.ociManifest, Buffer.from('{"no":"manifest"}'))
    await place.tag(signatureTag(image.digest), none)
    expect(await layoutsOf(place)).toEqual(['bundle'])
  })

  it.each(['MANIFEST_INVALID', 'CONNECTION_REFUSED'])(
    'under the tag holds when the list of bundles fails: %s',
    async (code) => {
      const source = failing(code)
      await signImage(source, image, { ...options, layouts: ['tag'] })
      expect(await layoutsOf(source)).toEqual(['tag'])
    },
  )

  it('is enough when one is: bundles are not asked for', async () => {
    await signImage(place, image, options)
    const asked: string[] = []
    const source = { ...place, referrers: async () => (asked.push('list'), []) }
    await verifyImage(source, image, { keys, isOneEnough: true })
    expect(asked).toEqual([])
  })
})

describe('when nothing holds', () => {
  it('a broken list is a reason, and a registry that does not answer no answer', async () => {
    const broken = verifyImage(failing('MANIFEST_INVALID'), image, { keys })
    await expect(broken).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    const away = verifyImage(failing('CONNECTION_REFUSED'), image, { keys })
    await expect(away).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' })
  })
})

describe('signImage', () => {
  it('adds no bundle beside 100 that would hide it', async () => {
    const entries = Array.from({ length: 100 }, (_, at) => ({
      ...place.add(mediaTypes.ociManifest, Buffer.from(`{"n":${at}}`)),
      artifactType: bundleType,
    }))
    const full = { ...place, referrers: async () => entries }
    await expect(signImage(full, image, { ...options, layouts: ['bundle'] })).rejects.toMatchObject(
      { code: 'SIGNATURES_FULL' },
    )
  })
})
