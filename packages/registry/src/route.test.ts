import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isRepositoryName, parseRoute } from './route.ts'

const digest = `sha256:${'a'.repeat(64)}`
const grammar =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/

describe('isRepositoryName', () => {
  it('takes the names of the distribution grammar and no others', () => {
    const names = fc.array(fc.constantFrom('a', '0', '.', '_', '-', '/', 'A', '%', '\n'), {
      maxLength: 12,
    })
    fc.assert(
      fc.property(names, (parts) => {
        const name = parts.join('')
        expect(isRepositoryName(name)).toBe(grammar.test(name) && !name.endsWith('\n'))
      }),
      { numRuns: 5000 },
    )
  })

  it.each(['_catalog', 'a/_x', 'a//b', '/a', 'a/', '', 'a'.repeat(256), 'ä', 'a b'])(
    'refuses %j',
    (name) => {
      expect(isRepositoryName(name)).toBe(false)
    },
  )

  it('answers about a long name at once', () => {
    const start = performance.now()
    expect(isRepositoryName(`${'a-'.repeat(1_000_000)}!`)).toBe(false)
    expect(isRepositoryName(`${'a__'.repeat(84)}!`)).toBe(false)
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('parseRoute', () => {
  it('reads a path from the right: repositories may have the names of its parts', () => {
    for (const repository of ['blobs', 'tags', 'manifests', 'a/blobs/uploads', 'v2', 'referrers']) {
      expect(parseRoute(`/v2/${repository}/tags/list`)).toEqual({ kind: 'tags', repository })
      expect(parseRoute(`/v2/${repository}/blobs/${digest}`)).toEqual({
        kind: 'blob',
        repository,
        digest,
      })
      expect(parseRoute(`/v2/${repository}/blobs/uploads/`)).toEqual({
        kind: 'uploads',
        repository,
      })
      expect(parseRoute(`/v2/${repository}/manifests/list`)).toEqual({
        kind: 'manifest',
        repository,
        reference: 'list',
      })
    }
  })

  it.each([
    '/v2/a%2fb/tags/list',
    '/v2/../tags/list',
    '/v2/_x/tags/list',
    '/v2/a/./tags/list',
    '/v2//tags/list',
    '/v2/tags/list',
  ])('refuses the name in %s', (path) => {
    expect(() => parseRoute(path)).toThrow('invalid repository name')
  })

  it('leaves other paths alone', () => {
    for (const path of ['/', '/v1/', '/v2x/', '/v2/a/b', '/v2/a/tags', '/v3/a/tags/list'])
      expect(parseRoute(path)).toBeUndefined()
  })
})
