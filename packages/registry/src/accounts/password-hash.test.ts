import { describe, expect, it } from 'vitest'
import { PasswordHasher } from './password-hash.ts'

describe('PasswordHasher', () => {
  it('knows a password again, and none without a hash', async () => {
    const hasher = new PasswordHasher()
    const hash = await hasher.hash('parola')
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
    expect(await hasher.hash('parola')).not.toBe(hash)
    expect(await hasher.verify('parola', hash)).toBe(true)
    expect(await hasher.verify('Parola', hash)).toBe(false)
    expect(await hasher.verify('', undefined)).toBe(false)
    expect(await hasher.verify('parola', 'parola')).toBe(false)
  })

  it('looks at a few together, lets some wait, and sends the rest away', async () => {
    const hasher = new PasswordHasher({ concurrency: 1, queue: 2 })
    const hash = await hasher.hash('parola')
    const settled = await Promise.allSettled(
      [1, 2, 3, 4, 5].map(() => hasher.verify('parola', hash)),
    )
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ])
    expect(settled[4]).toMatchObject({
      reason: { status: 429, options: { headers: { 'retry-after': '1' } } },
    })
    expect(await hasher.verify('parola', hash)).toBe(true)
  })
})
