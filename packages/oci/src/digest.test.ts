import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/codes.ts'
import { digestAlgorithm, digestHex, isDigest, parseDigest, shortDigest } from './digest.ts'

const hex = (length: number): string => 'a1b2c3d4'.repeat(32).slice(0, length)

describe('parseDigest', () => {
  it.each([
    ['sha256', 64],
    ['sha384', 96],
    ['sha512', 128],
  ])('takes %s of %i characters and no other length', (algorithm, length) => {
    const digest = parseDigest(`${algorithm}:${hex(length)}`)
    expect(digestAlgorithm(digest)).toBe(algorithm)
    expect(digestHex(digest)).toBe(hex(length))
    expect(shortDigest(digest)).toBe('a1b2c3d4a1b2')
    for (const other of [length - 1, length + 1, 0]) {
      expect(
        codeOf(() => parseDigest(`${algorithm}:${hex(other)}`)),
        String(other),
      ).toBe('DIGEST_INVALID')
    }
  })

  it.each([
    ['', 'DIGEST_INVALID'],
    [hex(64), 'DIGEST_INVALID'],
    [`sha256:${hex(64).toUpperCase()}`, 'DIGEST_INVALID'],
    [`SHA256:${hex(64)}`, 'DIGEST_INVALID'],
    [`sha256:${hex(64)}\n`, 'DIGEST_INVALID'],
    [` sha256:${hex(64)}`, 'DIGEST_INVALID'],
    [`sha256:${hex(62)}%2`, 'DIGEST_INVALID'],
    [`sha256:../${hex(61)}`, 'DIGEST_INVALID'],
    ['sha256:../../etc/passwd', 'DIGEST_INVALID'],
    [`sha256:${hex(32)}\0${hex(31)}`, 'DIGEST_INVALID'],
    [`md5:${hex(32)}`, 'DIGEST_UNSUPPORTED'],
    [`sha1:${hex(40)}`, 'DIGEST_UNSUPPORTED'],
    [`blake3:${hex(64)}`, 'DIGEST_UNSUPPORTED'],
    [`constructor:${hex(64)}`, 'DIGEST_UNSUPPORTED'],
    [`sha256:${'a'.repeat(100_000)}`, 'DIGEST_INVALID'],
  ])('refuses %j', (text, code) => {
    expect(codeOf(() => parseDigest(text))).toBe(code)
    expect(isDigest(text)).toBe(false)
  })

  it('accepts nothing that could leave a folder or a URL path', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (isDigest(text)) expect(text).toMatch(/^sha(256|384|512):[0-9a-f]+$/)
      }),
      { numRuns: 1000 },
    )
  })
})
