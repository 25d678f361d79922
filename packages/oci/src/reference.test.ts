import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../test/codes.ts'
import {
  canonicalName,
  familiarName,
  familiarReference,
  formatReference,
  isReference,
  isTag,
  parseReference,
  withDefaultTag,
} from './reference.ts'

const sha = `sha256:${'a1'.repeat(32)}`

describe('parseReference', () => {
  it.each([
    ['alpine', 'docker.io/library/alpine', 'alpine'],
    ['alpine:3.20', 'docker.io/library/alpine:3.20', 'alpine:3.20'],
    ['library/alpine', 'docker.io/library/alpine', 'alpine'],
    ['team/app:1', 'docker.io/team/app:1', 'team/app:1'],
    ['docker.io/alpine', 'docker.io/library/alpine', 'alpine'],
    ['index.docker.io/alpine', 'docker.io/library/alpine', 'alpine'],
    ['docker.io/a/b/c', 'docker.io/a/b/c', 'a/b/c'],
    ['localhost/app', 'localhost/app', 'localhost/app'],
    ['localhost:5000/app', 'localhost:5000/app', 'localhost:5000/app'],
    ['127.0.0.1:5000/library/app', '127.0.0.1:5000/library/app', '127.0.0.1:5000/library/app'],
    ['[::1]:5000/app:x', '[::1]:5000/app:x', '[::1]:5000/app:x'],
    ['registry.example/app', 'registry.example/app', 'registry.example/app'],
    ['REGISTRY/app', 'REGISTRY/app', 'REGISTRY/app'],
    [`alpine@${sha}`, `docker.io/library/alpine@${sha}`, `alpine@${sha}`],
    [`alpine:3@${sha}`, `docker.io/library/alpine:3@${sha}`, `alpine:3@${sha}`],
    ['a__b/c.d/e-f', 'docker.io/a__b/c.d/e-f', 'a__b/c.d/e-f'],
    ['a---b', 'docker.io/library/a---b', 'a---b'],
    ['app:Tag_1.-', 'docker.io/library/app:Tag_1.-', 'app:Tag_1.-'],
    [
      `app:${'t'.repeat(128)}`,
      `docker.io/library/app:${'t'.repeat(128)}`,
      `app:${'t'.repeat(128)}`,
    ],
  ])('%s means %s, shown as %s', (text, canonical, familiar) => {
    const reference = parseReference(text)
    expect(formatReference(reference)).toBe(canonical)
    expect(familiarReference(reference)).toBe(familiar)
    expect(parseReference(canonical)).toEqual(reference)
    expect(canonical.startsWith(canonicalName(reference))).toBe(true)
    expect(familiar.startsWith(familiarName(reference))).toBe(true)
  })

  it.each([
    ['', 'invalid reference format'],
    ['Alpine', 'invalid reference format: repository name (library/Alpine) must be lowercase'],
    ['team/App', 'invalid reference format: repository name (team/App) must be lowercase'],
    ['a..b', 'invalid reference format'],
    ['a.', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a/', 'invalid reference format'],
    ['/a', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['../a', 'invalid reference format'],
    ['a/../b', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['a\nb', 'invalid reference format'],
    ['a\u001b[2J', 'invalid reference format'],
    ['a%2fb', 'invalid reference format'],
    ['é', 'invalid reference format'],
    ['https://registry.example/app', 'invalid reference format'],
    ['registry.example:port/app', 'invalid reference format'],
    ['-registry.example/app', 'invalid reference format'],
    ['app:', 'invalid reference format'],
    ['app:-x', 'invalid reference format'],
    [`app:${'t'.repeat(129)}`, 'invalid reference format'],
    ['app:a/b', undefined],
    ['app@', 'invalid reference format'],
    ['app@sha256:', 'invalid reference format'],
    ['app@sha256:../../etc', 'invalid reference format'],
    [`app@sha256:${'a'.repeat(63)}`, 'invalid checksum digest length'],
    [`app@sha256:${'a'.repeat(65)}`, 'invalid checksum digest length'],
    [`app@md5:${'a'.repeat(32)}`, 'unsupported digest algorithm'],
    [`app@${sha}\n`, 'invalid reference format'],
    [`app@${sha}@${sha}`, 'invalid reference format'],
    [
      'a'.repeat(64),
      `invalid repository name (${'a'.repeat(64)}), cannot specify 64-byte hexadecimal strings`,
    ],
    ['r'.repeat(256), 'repository name must not be more than 255 characters'],
    ['r'.repeat(5000), 'invalid reference format'],
  ])('refuses %j', (text, message) => {
    expect(codeOf(() => parseReference(text))).toBe('REFERENCE_INVALID')
    if (message !== undefined) expect(() => parseReference(text)).toThrow(message)
    expect(isReference(text)).toBe(false)
  })

  it('counts the length of the path without the registry', () => {
    const longest = `registry.example/${'r'.repeat(255)}`
    expect(isReference(longest)).toBe(true)
    expect(isReference(`${longest}r`)).toBe(false)
  })

  it('throws nothing else, whatever the text, and reads what it accepts the same again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9.:@/_-]{1,80}$/)), (text) => {
        if (codeOf(() => parseReference(text)) !== undefined) return
        const reference = parseReference(text)
        expect(parseReference(formatReference(reference))).toEqual(reference)
        expect(parseReference(familiarReference(reference))).toEqual(reference)
      }),
      { numRuns: 2000 },
    )
  })

  it('takes linear time for a text made to be slow', () => {
    const slow = `${'a-'.repeat(2000)}!`
    expect(codeOf(() => parseReference(slow))).toBe('REFERENCE_INVALID')
  })
})

describe('withDefaultTag', () => {
  it('adds latest where neither tag nor digest is written', () => {
    expect(withDefaultTag(parseReference('alpine')).tag).toBe('latest')
    expect(withDefaultTag(parseReference('alpine:3')).tag).toBe('3')
    expect(withDefaultTag(parseReference(`alpine@${sha}`)).tag).toBeUndefined()
  })
})

describe('isTag', () => {
  it.each([
    ['latest', true],
    ['_x', true],
    ['1.0-rc_1', true],
    ['.x', false],
    ['', false],
    ['a/b', false],
    ['a\n', false],
    ['t'.repeat(128), true],
    ['t'.repeat(129), false],
  ])('%j: %s', (text, expected) => {
    expect(isTag(text)).toBe(expected)
  })
})
