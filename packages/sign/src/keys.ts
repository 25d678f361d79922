import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair as generate,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { lock, unlock } from './encrypted-key.ts'
import { formatPem, keyInvalid, parsePem } from './pem.ts'

const lockedLabels = ['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY']
const plainLabels = ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY']
/** The curves of ECDSA keys, each with the hash of its size. */
const curves = new Map([
  ['prime256v1', 'sha256'],
  ['secp384r1', 'sha384'],
  ['secp521r1', 'sha512'],
])

/** A new key pair as PEM texts. */
export interface KeyPair {
  /** cosign's encrypted form, or plain PKCS #8 when there is no password. */
  readonly privateKey: string
  readonly publicKey: string
}

/** Makes an ECDSA key pair on P-256, the private key locked with the password. An empty password locks, too. */
export async function generateKeyPair(options: { readonly password: string }): Promise<KeyPair> {
  const pair = await promisify(generate)('ec', { namedCurve: 'P-256' })
  const bytes = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  return {
    privateKey: formatPem(lockedLabels[0] ?? '', await lock(bytes, options.password)),
    publicKey: publicKeyPem(pair.publicKey),
  }
}

/**
 * Reads a private key: cosign's encrypted form, for which `password` is asked, or plain PKCS #8, SEC 1 or PKCS #1.
 * ECDSA (P-256, P-384, P-521), Ed25519 and RSA from 2048 bits. `what` names it in errors. Throws `KEY_INVALID`,
 * `KEY_PASSWORD_WRONG`.
 */
export async function readPrivateKey(
  text: string,
  options: { readonly what: string; readonly password: () => Promise<string> },
): Promise<KeyObject> {
  const { what, password } = options
  const found = parsePem(text, what).find(
    ({ label }) => lockedLabels.includes(label) || plainLabels.includes(label),
  )
  if (found === undefined) throw keyInvalid(what, 'it holds no private key')
  const isLocked = lockedLabels.includes(found.label)
  const der = isLocked ? await unlock(found.bytes, await password(), what) : undefined
  return checked(what, () =>
    der === undefined
      ? createPrivateKey(found.text)
      : createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' }),
  )
}

/** The public key of a PEM file: its first. Throws `KEY_INVALID`. */
export function readPublicKey(text: string, what: string): KeyObject {
  const [found] = parsePem(text, what).filter(({ label }) => /^(?:RSA )?PUBLIC KEY$/.test(label))
  if (found === undefined) throw keyInvalid(what, 'it holds no public key')
  return checked(what, () => createPublicKey(found.text))
}

/** The public half as a PEM text. */
export function publicKeyPem(key: KeyObject): string {
  const half = key.type === 'public' ? key : createPublicKey(key)
  return formatPem('PUBLIC KEY', half.export({ format: 'der', type: 'spki' }))
}

/** SHA-256 of a public key (its SPKI), as hex. */
export function keyFingerprint(key: KeyObject): string {
  const half = key.type === 'public' ? key : createPublicKey(key)
  return createHash('sha256')
    .update(half.export({ format: 'der', type: 'spki' }))
    .digest('hex')
}

/** Signs with SHA-256, which every reader tries (Ed25519 hashes by itself). ECDSA signatures are in DER. */
export function signBytes(key: KeyObject, bytes: Uint8Array): Uint8Array {
  return sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', bytes, key)
}

/** True for a signature of {@link signBytes}, and for one with the hash that cosign takes for a larger curve. */
export function verifyBytes(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  return hashesFor(key).some((hash) => {
    try {
      return verify(hash, bytes, key, signature)
    } catch {
      return false
    }
  })
}

function hashesFor(key: KeyObject): readonly (string | null)[] {
  if (key.asymmetricKeyType === 'ed25519') return [null]
  const own = curves.get(key.asymmetricKeyDetails?.namedCurve ?? '')
  return own === undefined || own === 'sha256' ? ['sha256'] : ['sha256', own]
}

function checked(what: string, read: () => KeyObject): KeyObject {
  let key: KeyObject
  try {
    key = read()
  } catch (cause) {
    throw keyInvalid(what, 'the key does not read', cause)
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const isGood =
    type === 'ed25519' ||
    (type === 'ec' && curves.has(details?.namedCurve ?? '')) ||
    (type === 'rsa' && (details?.modulusLength ?? 0) >= 2048)
  if (isGood) return key
  throw keyInvalid(what, `keys of this kind are not used (${type ?? 'unknown'})`)
}
