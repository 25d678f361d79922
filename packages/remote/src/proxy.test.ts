import { describe, expect, it } from 'vitest'
import { proxyFor } from './proxy.ts'

const proxies = { http: 'proxy.test:3128', https: 'http://secure.test:3128' }
const direct = (url: string, none: string) =>
  proxyFor(new URL(url), { ...proxies, none }) === undefined

describe('proxyFor', () => {
  it('chooses by the scheme of the URL and adds a missing scheme', () => {
    expect(proxyFor(new URL('http://a.test'), proxies)).toBe('http://proxy.test:3128')
    expect(proxyFor(new URL('https://a.test'), proxies)).toBe('http://secure.test:3128')
    expect(proxyFor(new URL('https://a.test'), {})).toBeUndefined()
  })

  it('never proxies loopback', () => {
    for (const host of ['127.0.0.1:5000', 'localhost', '[::1]:5000']) {
      expect(proxyFor(new URL(`http://${host}`), proxies)).toBeUndefined()
    }
  })

  it('follows NO_PROXY as Go does', () => {
    expect(direct('https://a.test', '*')).toBe(true)
    expect(direct('https://a.test', 'b.test, a.test')).toBe(true)
    expect(direct('https://sub.a.test', 'a.test')).toBe(true)
    expect(direct('https://a.test', '.a.test')).toBe(false)
    expect(direct('https://xa.test', 'a.test')).toBe(false)
    expect(direct('https://a.test:5000', 'a.test:5000')).toBe(true)
    expect(direct('https://a.test', 'a.test:5000')).toBe(false)
    expect(direct('https://10.1.2.3', '10.0.0.0/8')).toBe(true)
    expect(direct('https://11.1.2.3', '10.0.0.0/8')).toBe(false)
    expect(direct('https://10.1.2.3', '10.1.2.3')).toBe(true)
  })
})
