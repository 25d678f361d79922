import { parseReference } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { type IdentityRule, identityFits } from './policy-identity.ts'

const digest = `sha256:${'a'.repeat(64)}`
const other = `sha256:${'b'.repeat(64)}`
const name = 'registry.example/team/app'

const exactReference = { type: 'exactReference', reference: parseReference(`${name}:1`) } as const
const exactRepository = { type: 'exactRepository', reference: parseReference(name) } as const
const remap = (prefix: string, signedPrefix: string): IdentityRule => ({
  type: 'remapIdentity',
  prefix,
  signedPrefix,
})

describe('identityFits', () => {
  // The columns: how the image is named, what the signature names, whether that fits.
  it.each([
    ['matchExact', `${name}:1`, `${name}:1`, true],
    ['matchExact', `${name}:1`, `${name}:2`, false],
    ['matchExact', `${name}:1`, name, false],
    ['matchExact', `${name}@${digest}`, `${name}:1`, false],
    ['matchExact', `${name}@${digest}`, `${name}@${digest}`, true],
    ['matchRepoDigestOrExact', `${name}:1`, `${name}:1`, true],
    ['matchRepoDigestOrExact', `${name}:1`, `${name}:2`, false],
    ['matchRepoDigestOrExact', `${name}:1`, `${name}@${digest}`, false],
    ['matchRepoDigestOrExact', `${name}:1`, name, false],
    ['matchRepoDigestOrExact', `${name}@${digest}`, `${name}:1`, true],
    ['matchRepoDigestOrExact', `${name}@${digest}`, `${name}@${other}`, true],
    ['matchRepoDigestOrExact', `${name}@${digest}`, name, false],
    ['matchRepoDigestOrExact', `${name}@${digest}`, 'registry.example/team/else:1', false],
    ['matchRepository', `${name}:1`, name, true],
    ['matchRepository', `${name}:1`, `${name}:2`, true],
    ['matchRepository', `${name}:1`, `${name}2`, false],
    ['matchRepository', 'docker.io/library/alpine:1', 'alpine', true],
    ['matchRepository', 'docker.io/library/alpine:1', 'index.docker.io/library/alpine', true],
    ['matchRepository', `${name}:1`, 'no name at all', false],
  ] as const)('%s: %s signed as %s: %s', (type, image, signed, fits) => {
    expect(identityFits({ type }, parseReference(image), signed)).toBe(fits)
  })

  it.each([
    [exactReference, `${name}:1`, true],
    [exactReference, `${name}:2`, false],
    [exactReference, name, false],
    [exactRepository, `${name}:7`, true],
    [exactRepository, 'registry.example/team/else', false],
  ] as const)(
    'compares with the name in the rule, whatever the image is called',
    (rule, signed, fits) => {
      expect(identityFits(rule, undefined, signed)).toBe(fits)
      expect(identityFits(rule, parseReference('mirror.example/x:3'), signed)).toBe(fits)
    },
  )

  it.each([
    [remap('mirror.example:5000/vendor', 'vendor.example'), 'vendor.example/app:1', true],
    [remap('mirror.example:5000/vendor', 'vendor.example'), 'vendor.example/app:2', false],
    [remap('mirror.example:5000/vendor/app', 'vendor.example/app'), 'vendor.example/app:1', true],
    [remap('mirror.example:5000', 'vendor.example'), 'vendor.example/vendor/app:1', true],
    // Only whole parts of a name are a prefix.
    [remap('mirror.example:5000/ven', 'vendor.example'), 'vendor.exampledor/app:1', false],
    // Not under the prefix: as it is.
    [remap('else.example', 'vendor.example'), 'mirror.example:5000/vendor/app:1', true],
  ])('puts another prefix in the place of the mirror (%#)', (rule, signed, fits) => {
    const image = parseReference('mirror.example:5000/vendor/app:1')
    expect(identityFits(rule, image, signed)).toBe(fits)
  })

  it('fits nothing where a place has no names, but for rules with a name of their own', () => {
    for (const type of ['matchExact', 'matchRepoDigestOrExact', 'matchRepository'] as const) {
      expect(identityFits({ type }, undefined, `${name}:1`)).toBe(false)
    }
    expect(identityFits(remap('a.b', 'c.d'), undefined, `${name}:1`)).toBe(false)
  })
})
