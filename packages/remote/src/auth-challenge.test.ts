import { assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAuthChallenges } from './auth-challenge.ts'

const plain = (header: string) =>
  parseAuthChallenges(header).map(({ scheme, parameters }) => [
    scheme,
    Object.fromEntries(parameters),
  ])

describe('parseAuthChallenges', () => {
  it('reads the challenges registries send', () => {
    expect(plain('Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"')).toEqual([
      ['bearer', { realm: 'https://a/t', service: 's', scope: 'repository:x:pull,push' }],
    ])
    expect(plain('Basic realm=simple')).toEqual([['basic', { realm: 'simple' }]])
    expect(plain('BASIC')).toEqual([['basic', {}]])
  })

  it('reads several challenges in one header', () => {
    expect(plain('Negotiate, Basic realm="a, b", Bearer realm="x" , service=y')).toEqual([
      ['negotiate', {}],
      ['basic', { realm: 'a, b' }],
      ['bearer', { realm: 'x', service: 'y' }],
    ])
    expect(plain('Negotiate YWJj==, Basic realm="r"')).toEqual([
      ['negotiate', {}],
      ['basic', { realm: 'r' }],
    ])
  })

  it('understands escapes, takes the first of a repeated parameter, and drops what is unfinished', () => {
    expect(plain('Bearer realm="a\\"b", realm="evil"')).toEqual([['bearer', { realm: 'a"b' }]])
    expect(plain('Basic realm="ok", Bearer realm="cut')).toEqual([['basic', { realm: 'ok' }]])
    expect(plain(`Bearer realm="${'x'.repeat(20_000)}"`)).toEqual([])
  })

  it('never throws and gives back what was quoted', () => {
    assert(property(string({ maxLength: 300 }), (header) => void parseAuthChallenges(header)))
    assert(
      property(string({ maxLength: 100 }), (value) => {
        const quoted = value.replace(/["\\]/g, '\\$&')
        const [challenge] = parseAuthChallenges(`Bearer realm="${quoted}",service="s"`)
        expect(challenge?.parameters.get('realm')).toBe(value)
        expect(challenge?.parameters.get('service')).toBe('s')
      }),
    )
  })
})
