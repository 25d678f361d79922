import { describe, expect, it } from 'vitest'
import { isAccountName, isNamespaceName, isRobotName, mayOwnByName } from './names.ts'
import { isSecretToken, makeSecretToken } from './secret-token.ts'

describe('names', () => {
  it('of accounts and namespaces are parts of repository names', () => {
    for (const name of ['ayse', 'a.b-c_d', '00']) expect(isAccountName(name), name).toBe(true)
    for (const name of ['', 'a', 'Ayse', 'a+b', 'a/b', '../x', '-a', 'ä', 'x'.repeat(65)])
      expect(isAccountName(name), name).toBe(false)
    expect([isNamespaceName('a'), isNamespaceName('a/b')]).toEqual([true, false])
    expect([mayOwnByName('ayse'), mayOwnByName('library')]).toEqual([true, false])
  })

  it('of robots tell their namespace', () => {
    expect(isRobotName('team+ci')).toBe(true)
    for (const name of ['team', 'team+', '+ci', 'a+b+c', 'team+CI'])
      expect(isRobotName(name)).toBe(false)
  })
})

describe('access tokens', () => {
  it('are told from other text without a look into the database', () => {
    const token = makeSecretToken()
    expect(token).toMatch(/^kat_[0-9A-Za-z]{38}$/)
    expect(isSecretToken(token)).toBe(true)
    const at = 10
    const other = token[at] === 'a' ? 'b' : 'a'
    expect(isSecretToken(`${token.slice(0, at)}${other}${token.slice(at + 1)}`)).toBe(false)
    expect(isSecretToken(`${token}a`)).toBe(false)
    expect(makeSecretToken()).not.toBe(token)
  })
})
