import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const prefix = 'kat_'
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const secretLength = 32
const checksumLength = 6
const shape = /^kat_[0-9A-Za-z]{38}$/

/** A new token: `kat_`, 190 random bits, and a checksum by which scanners and typing errors are told apart. */
export function makeSecretToken(): string {
  let secret = ''
  while (secret.length < secretLength) {
    // 248 is the largest multiple of 62 below 256: what is above would make some letters likelier.
    for (const byte of randomBytes(secretLength)) {
      if (byte < 248 && secret.length < secretLength) secret += alphabet[byte % alphabet.length]
    }
  }
  return `${prefix}${secret}${checksumOf(secret)}`
}

/** True for text that this registry may have given out: nothing else is worth a look into the database. */
export function isSecretToken(text: string): boolean {
  if (!shape.test(text)) return false
  const secret = text.slice(prefix.length, prefix.length + secretLength)
  return text.endsWith(checksumOf(secret))
}

/** What is kept of a token. It is random enough for a plain hash. */
export function hashSecretToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** A short random name for a row that people see. */
export function makeID(): string {
  return randomBytes(6).toString('hex')
}

function checksumOf(secret: string): string {
  let [rest, text] = [crc32(secret), '']
  for (let index = 0; index < checksumLength; index += 1) {
    text = `${alphabet[rest % alphabet.length]}${text}`
    rest = Math.floor(rest / alphabet.length)
  }
  return text
}
