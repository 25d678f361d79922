import { randomBytes, scrypt, type ScryptOptions } from 'node:crypto'
import { type JsonObject, type JsonValue, KatmanError, parseJson } from '@katman/oci'
import { asObject } from './json-object.ts'
import { keyInvalid } from './pem.ts'

/** What cosign and others derive the key with: 64 MiB of memory. */
const written = { N: 65536, r: 8, p: 1 } as const
/** A file may not ask for more memory than this to open it. */
const maxScryptBytes = 256 * 1024 * 1024
const keyBytes = 32
const nonceBytes = 24

/**
 * Locks bytes with a password: scrypt and NaCl's secretbox (XSalsa20-Poly1305), written as the JSON that cosign keeps in
 * its private keys.
 */
export async function lock(plain: Uint8Array, password: string): Promise<Uint8Array> {
  const salt = randomBytes(32)
  const nonce = randomBytes(nonceBytes)
  const key = await deriveKey(password, salt, written)
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js')
  const text = JSON.stringify({
    kdf: { name: 'scrypt', params: written, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(xsalsa20poly1305(key, nonce).encrypt(plain)).toString('base64'),
  })
  return Buffer.from(text)
}

/** Opens what {@link lock} or cosign has locked. Throws `KEY_INVALID`, `KEY_PASSWORD_WRONG`. */
export async function unlock(
  locked: Uint8Array,
  password: string,
  what: string,
): Promise<Uint8Array> {
  const { params, salt, nonce, ciphertext } = readEnvelope(locked, what)
  const key = await deriveKey(password, salt, params)
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js')
  try {
    return xsalsa20poly1305(key, nonce).decrypt(ciphertext)
  } catch (cause) {
    throw new KatmanError('KEY_PASSWORD_WRONG', `${what}: the password does not open the key`, {
      hint: 'give it as KATMAN_KEY_PASSWORD or COSIGN_PASSWORD, or type it at a terminal',
      cause,
    })
  }
}

interface Envelope {
  readonly params: { readonly N: number; readonly r: number; readonly p: number }
  readonly salt: Uint8Array
  readonly nonce: Uint8Array
  readonly ciphertext: Uint8Array
}

function readEnvelope(bytes: Uint8Array, what: string): Envelope {
  const fail = (reason: string): KatmanError => keyInvalid(what, `encrypted key: ${reason}`)
  const object = (value: JsonValue | undefined, name: string): JsonObject => {
    const found = asObject(value)
    if (found !== undefined) return found
    throw fail(`${name} is not an object`)
  }
  const root = object(parseJson(bytes, what), 'it')
  const kdf = object(root['kdf'], 'kdf')
  const cipher = object(root['cipher'], 'cipher')
  if (kdf['name'] !== 'scrypt') throw fail(`the key derivation is not scrypt`)
  if (cipher['name'] !== 'nacl/secretbox') throw fail(`the cipher is not nacl/secretbox`)
  const params = object(kdf['params'], 'kdf.params')
  const whole = (name: string): number => {
    const value = params[name]
    if (typeof value === 'number' && value > 0) return value
    throw fail(`kdf.params.${name} is no number`)
  }
  const [N, r, p] = [whole('N'), whole('r'), whole('p')]
  const isPower = Number.isInteger(Math.log2(N))
  if (!isPower || N < 1024 || 128 * N * r > maxScryptBytes || p > 16 || r > 64) {
    throw fail(`scrypt parameters N=${N} r=${r} p=${p} are out of bounds`)
  }
  const base64 = (value: JsonValue | undefined, name: string): Uint8Array => {
    if (typeof value === 'string') return Buffer.from(value, 'base64')
    throw fail(`${name} is no text`)
  }
  const nonce = base64(cipher['nonce'], 'cipher.nonce')
  if (nonce.byteLength !== nonceBytes) throw fail('cipher.nonce has not 24 bytes')
  return {
    params: { N, r, p },
    salt: base64(kdf['salt'], 'kdf.salt'),
    nonce,
    ciphertext: base64(root['ciphertext'], 'ciphertext'),
  }
}

function deriveKey(
  password: string,
  salt: Uint8Array,
  { N, r, p }: Envelope['params'],
): Promise<Uint8Array> {
  const options: ScryptOptions = { N, r, p, maxmem: 2 * maxScryptBytes }
  return new Promise((resolve, reject) => {
    scrypt(password, salt, keyBytes, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
