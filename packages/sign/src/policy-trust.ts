import { createHash, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { KatmanError } from '@katman/oci'
import { readTrustRoot, type TrustRoot } from './keyless.ts'
import { readPublicKey } from './keys.ts'
import { parsePem } from './pem.ts'
import type { PolicyBytes, SigstoreRequirement } from './policy.ts'
import type { VerifyOptions } from './verify-image.ts'

/** Whom a requirement of a policy believes. Files are read now. Throws `KEY_INVALID`, `POLICY_INVALID`. */
export async function trustOf({
  keys,
  logs,
  fulcio,
}: SigstoreRequirement): Promise<Pick<VerifyOptions, 'keys' | 'certificate' | 'log' | 'layouts'>> {
  const logKeys = await Promise.all(logs.map((one) => readKey(one)))
  if (fulcio !== undefined) {
    const certificates = parsePem(await readText(fulcio.authority), nameOf(fulcio.authority))
    const root = await trustIn(
      certificates.map(({ bytes }) => bytes),
      logKeys,
    )
    const { subject, issuer } = fulcio
    // containers/image does not ask for a log of certificates: the log of signatures has the certificate, too.
    const certificate = { root, subject, issuer, ignoreCertificateLog: true }
    return { certificate, layouts: ['tag'] }
  }
  const own = await Promise.all(keys.map((one) => readKey(one)))
  if (logKeys.length === 0) return { keys: own }
  return { keys: own, log: await trustIn([], logKeys), layouts: ['tag'] }
}

/** A trust root of these authorities and logs. */
async function trustIn(
  authorities: readonly Uint8Array[],
  logs: readonly KeyObject[],
): Promise<TrustRoot> {
  const document = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: logs.map((key) => logInstance(key)),
    certificateAuthorities: authorities.map((bytes) => ({
      subject: { organization: '', commonName: '' },
      uri: '',
      certChain: { certificates: [{ rawBytes: base64(bytes) }] },
      validFor: { start: '1970-01-01T00:00:00Z' },
    })),
    ctlogs: [],
    timestampAuthorities: [],
  }
  const isForKeys = authorities.length === 0
  return readTrustRoot(Buffer.from(JSON.stringify(document)), 'the policy', { isForKeys })
}

function logInstance(key: KeyObject): object {
  const bytes = key.export({ format: 'der', type: 'spki' })
  return {
    baseUrl: '',
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: base64(bytes),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: { start: '1970-01-01T00:00:00Z' },
    },
    logId: { keyId: createHash('sha256').update(bytes).digest('base64') },
  }
}

async function readKey(bytes: PolicyBytes): Promise<KeyObject> {
  return readPublicKey(await readText(bytes), nameOf(bytes))
}

async function readText(bytes: PolicyBytes): Promise<string> {
  if (!('file' in bytes)) return Buffer.from(bytes.data).toString()
  try {
    return await readFile(bytes.file, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new KatmanError('POLICY_INVALID', `a file of the policy cannot be read: ${reason}`, {
      hint: 'nothing is pulled while the policy does not read',
      details: { file: bytes.file },
      cause,
    })
  }
}

function nameOf(bytes: PolicyBytes): string {
  return 'file' in bytes ? bytes.file : 'a key or certificate in the policy'
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
