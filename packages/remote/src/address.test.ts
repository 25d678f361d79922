import { assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inBlock, isLoopbackHost, isPrivateAddress } from './address.ts'

describe('isPrivateAddress', () => {
  it.each(
    '127.0.0.1 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 ::1 :: [::1] fe80::1 fd00::1 ::ffff:10.0.0.1 ::ffff:7f00:1 64:ff9b::a00:1 2002:a00:1:: ff02::1 fec0::1 192.0.0.192'.split(
      ' ',
    ),
  )('%s is private', (address) => {
    expect(isPrivateAddress(address)).toBe(true)
  })

  it.each('8.8.8.8 172.32.0.1 100.128.0.1 2606:4700::1111 ::ffff:8.8.8.8 example.com'.split(' '))(
    '%s is not',
    (address) => {
      expect(isPrivateAddress(address)).toBe(false)
    },
  )

  it('sees through the spellings a URL accepts', () => {
    for (const host of ['2130706433', '0x7f000001', '0177.0.0.1', '127.1']) {
      expect(isPrivateAddress(new URL(`http://${host}/`).hostname)).toBe(true)
    }
  })

  it('never throws', () => {
    assert(property(string({ maxLength: 60 }), (text) => void isPrivateAddress(text)))
  })
})

describe('isLoopbackHost', () => {
  it('knows loopback by address and by name', () => {
    expect(['localhost', '127.9.9.9', '[::1]'].map(isLoopbackHost)).toEqual([true, true, true])
    expect(['localhost.evil.test', '128.0.0.1'].map(isLoopbackHost)).toEqual([false, false])
  })
})

describe('inBlock', () => {
  it('compares the leading bits', () => {
    expect(inBlock('10.1.2.3', '10.0.0.0/8')).toBe(true)
    expect(inBlock('11.1.2.3', '10.0.0.0/8')).toBe(false)
    expect(inBlock('fd00::5', 'fd00::/8')).toBe(true)
    expect(inBlock('10.1.2.3', 'fd00::/8')).toBe(false)
    expect(inBlock('10.1.2.3', '10.0.0.0/99')).toBe(false)
  })
})
