import { describe, expect, it } from 'vitest'
import { isTrustedRealm } from './realm-trust.ts'

const trusted = (registry: string, realm: string, allowed?: readonly string[]) =>
  isTrustedRealm(new URL(registry), new URL(realm), allowed)

describe('isTrustedRealm', () => {
  it.each([
    ['https://reg.example.com', 'https://reg.example.com:8443/token'],
    ['https://registry.gitlab.com', 'https://gitlab.com/jwt/auth'],
    ['https://reg.example.co.uk', 'https://auth.example.co.uk/t'],
    ['https://registry-1.docker.io', 'https://auth.docker.io/token'],
    ['http://127.0.0.1:5000', 'http://localhost:5001/t'],
    ['https://10.0.0.5', 'https://10.0.0.5:9000/t'],
  ])('%s may send credentials to %s', (registry, realm) => {
    expect(trusted(registry, realm)).toBe(true)
  })

  it.each([
    ['https://reg.example.com', 'https://evil.test/t'],
    ['https://reg.example.com', 'https://reg.example.com.evil.test/t'],
    ['https://a.co.uk', 'https://b.co.uk/t'],
    ['https://one.amazonaws.com', 'https://two.amazonaws.com/t'],
    ['https://mine.github.io', 'https://yours.github.io/t'],
    ['https://reg.example.com', 'http://127.0.0.1/t'],
    ['http://127.0.0.1:5000', 'http://169.254.169.254/t'],
    ['https://10.0.0.5', 'https://10.0.0.6/t'],
    ['https://registry', 'https://other/t'],
  ])('%s may not send credentials to %s', (registry, realm) => {
    expect(trusted(registry, realm)).toBe(false)
  })

  it('takes hosts the user allowed', () => {
    expect(trusted('https://a.test', 'https://b.example/t', ['b.example'])).toBe(true)
  })
})
