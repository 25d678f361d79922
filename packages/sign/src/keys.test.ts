import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  generateKeyPair,
  publicKeyPem,
  readPrivateKey,
  readPublicKey,
  signBytes,
  verifyBytes,
} from './keys.ts'
import { formatPem } from './pem.ts'

const fixture = (name: string): string =>
  readFileSync(new URL(`../test/fixtures/${name}`, import.meta.url), 'utf8')
const text = Buffer.from('what is signed')
const password = (word: string) => ({ what: 'the key', password: async () => word })

describe('generateKeyPair', () => {
  it('makes a pair whose locked half opens with the password and signs for the other half', async () => {
    const pair = await generateKeyPair({ password: 'secret' })
    expect(pair.privateKey).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/)
    const key = await readPrivateKey(pair.privateKey, password('secret'))
    const half = readPublicKey(pair.publicKey, 'it')
    expect(verifyBytes(half, text, signBytes(key, text))).toBe(true)
    expect(publicKeyPem(key)).toBe(pair.publicKey)
  })
})

describe('readPrivateKey', () => {
  it('opens a key that cosign made', async () => {
    const key = await readPrivateKey(fixture('cosign.key'), password('pw'))
    expect(publicKeyPem(key)).toBe(fixture('cosign.pub'))
  })

  it('opens keys with the older title', async () => {
    const older = fixture('cosign.key').replaceAll('SIGSTORE', 'COSIGN')
    expect(publicKeyPem(await readPrivateKey(older, password('pw')))).toBe(fixture('cosign.pub'))
  })

  it('refuses a wrong password', async () => {
    await expect(readPrivateKey(fixture('cosign.key'), password('no'))).rejects.toMatchObject({
      code: 'KEY_PASSWORD_WRONG',
    })
  })

  it.each(['ec', 'ed25519', 'rsa'])(
    'reads plain PKCS #8 (%s) and asks for no password',
    async (type) => {
      const pair =
        type === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
          : type === 'rsa'
            ? generateKeyPairSync('rsa', { modulusLength: 2048 })
            : generateKeyPairSync('ed25519')
      const pem = String(pair.privateKey.export({ format: 'pem', type: 'pkcs8' }))
      const key = await readPrivateKey(pem, {
        what: 'the key',
        password: () => Promise.reject(new Error('asked')),
      })
      expect(verifyBytes(pair.publicKey, text, signBytes(key, text))).toBe(true)
      expect(verifyBytes(pair.publicKey, Buffer.from('other'), signBytes(key, text))).toBe(false)
    },
  )

  it('refuses short RSA keys, other curves and what is no key', async () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey
    const pems = [short, curve].map((key) => String(key.export({ format: 'pem', type: 'pkcs8' })))
    for (const pem of [...pems, '', 'nothing', fixture('cosign.pub')]) {
      await expect(readPrivateKey(pem, password(''))).rejects.toMatchObject({ code: 'KEY_INVALID' })
    }
  })

  it('does not let a file choose how much memory it takes to open', async () => {
    const envelope = {
      kdf: { name: 'scrypt', params: { N: 2 ** 24, r: 8, p: 1 }, salt: 'AAAA' },
      cipher: { name: 'nacl/secretbox', nonce: Buffer.alloc(24).toString('base64') },
      ciphertext: 'AAAA',
    }
    const pem = formatPem('ENCRYPTED SIGSTORE PRIVATE KEY', Buffer.from(JSON.stringify(envelope)))
    await expect(readPrivateKey(pem, password(''))).rejects.toThrow(/out of bounds/)
  })
})

describe('verifyBytes', () => {
  it.each([
    ['P-384', 'sha384', 'sha512'],
    ['P-521', 'sha512', 'sha384'],
    ['P-256', 'sha256', 'sha384'],
  ])('knows the hash of a curve: %s with %s', (namedCurve, own, other) => {
    const pair = generateKeyPairSync('ec', { namedCurve })
    expect(verifyBytes(pair.publicKey, text, sign(own, text, pair.privateKey))).toBe(true)
    expect(verifyBytes(pair.publicKey, text, sign(other, text, pair.privateKey))).toBe(false)
    expect(verifyBytes(pair.publicKey, text, Buffer.from('no signature'))).toBe(false)
  })
})
