import { parseDigest } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { annotateEntry, indexAnnotations, parseAnnotations } from './imagetools-annotations.ts'
import { chooseEntries } from './imagetools-platforms.ts'

const entry = (letter: string, architecture: string, variant?: string) => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: parseDigest(`sha256:${letter.repeat(64)}`),
  size: 2,
  platform: { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) },
})

describe('parseAnnotations', () => {
  it('reads kinds, platforms and values with signs in them', () => {
    const [first, second] = parseAnnotations(['index,manifest-descriptor[linux/arm64]:a.b=c=d:e,f'])
    expect(first).toEqual({ kind: 'index', platform: undefined, key: 'a.b', value: 'c=d:e,f' })
    expect(second).toMatchObject({ kind: 'manifest-descriptor', key: 'a.b', value: 'c=d:e,f' })
    expect(second?.platform).toMatchObject({ os: 'linux', architecture: 'arm64' })
  })

  it.each([
    ['index:a', 'expected key=value'],
    ['foo:a=b', 'unknown annotation type "foo"'],
    ['index[:a=b', 'expected type and optional platform'],
    ['index[a/b/c/d]:a=b', 'invalid platform "a/b/c/d"'],
  ])('refuses %s', (text, why) => {
    expect(() => parseAnnotations([text])).toThrow(why)
  })
})

describe('annotateEntry', () => {
  it('annotates the entry of the platform, whatever way its variant is written', () => {
    const annotations = parseAnnotations(['manifest-descriptor[linux/arm64]:by=me', 'index:i=1'])
    expect(annotateEntry(entry('a', 'arm64', 'v8'), annotations).annotations).toEqual({ by: 'me' })
    expect(annotateEntry(entry('b', 'amd64'), annotations)).not.toHaveProperty('annotations')
    expect(indexAnnotations(annotations)).toEqual({ i: '1' })
  })
})

describe('chooseEntries', () => {
  it('keeps the order, takes exact platforms, and attestations of what it took', () => {
    const [amd, six, seven] = [
      entry('a', 'amd64'),
      entry('b', 'arm', 'v6'),
      entry('c', 'arm', 'v7'),
    ]
    const attestation = (letter: string, of: { readonly digest: string }) => ({
      ...entry(letter, 'unknown'),
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': of.digest,
      },
    })
    const [ofSix, ofSeven] = [attestation('d', six), attestation('e', seven)]
    const all = [seven, ofSeven, amd, six, ofSix]
    const wanted = [
      { os: 'linux', architecture: 'arm', variant: 'v7' },
      { os: 'linux', architecture: 'amd64' },
    ]
    expect(chooseEntries(all, wanted)).toEqual([seven, ofSeven, amd])
    expect(() => chooseEntries(all, [{ os: 'linux', architecture: 'mips' }])).toThrow(
      'none of the manifests match',
    )
  })
})
