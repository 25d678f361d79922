import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { KatmanError } from '@katman/oci'
import type { TlsPair } from './listener.ts'
import type { TlsFiles } from './server-options.ts'

/** Reads a certificate and its key and tries them. Throws `TLS_INVALID`, which names the file. */
export async function readTls({ certificate, key }: TlsFiles): Promise<TlsPair> {
  const pair = { cert: await readPem(certificate), key: await readPem(key) }
  try {
    createSecureContext(pair)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new KatmanError(
      'TLS_INVALID',
      `${certificate} and ${key} are no certificate with its key: ${reason}`,
      {
        cause,
        hint: 'give a certificate (the whole chain) and its private key in PEM',
      },
    )
  }
  return pair
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new KatmanError('TLS_INVALID', `cannot read ${file}: ${reason}`, {
      cause,
      hint: 'check the path and the rights of the file',
    })
  }
}
