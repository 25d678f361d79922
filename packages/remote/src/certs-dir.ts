import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { KatmanError } from '@katman/oci'
import type { TlsSettings } from './settings.ts'

/**
 * Reads a `certs.d` folder: each sub-folder is a host with its port, `*.crt` in it are authorities, `X.cert` with
 * `X.key` the client's pair (docker and containers-certs.d(5)). A folder that is missing holds nothing.
 * Throws `SETTINGS_INVALID` for a pair without its other half and for files that cannot be read.
 */
export async function readCertsDir(directory: string): Promise<ReadonlyMap<string, TlsSettings>> {
  const result = new Map<string, TlsSettings>()
  for (const host of await list(directory)) {
    const settings = await readHostDir(path.join(directory, host))
    if (settings !== undefined) result.set(host, settings)
  }
  return result
}

async function readHostDir(directory: string): Promise<TlsSettings | undefined> {
  const files = await list(directory)
  const ca: string[] = []
  let pair: { cert: string; key: string } | undefined
  for (const file of files) {
    const name = path.join(directory, file)
    if (file.endsWith('.crt')) ca.push(await readPem(name))
    if (file.endsWith('.cert')) {
      const keyFile = file.replace(/\.cert$/, '.key')
      if (!files.includes(keyFile)) throw invalid(name, `its key ${keyFile} is missing`)
      pair ??= { cert: await readPem(name), key: await readPem(path.join(directory, keyFile)) }
    }
    if (file.endsWith('.key') && !files.includes(file.replace(/\.key$/, '.cert'))) {
      throw invalid(name, 'its certificate is missing')
    }
  }
  return ca.length === 0 && pair === undefined
    ? undefined
    : { ...(ca.length === 0 ? {} : { ca }), ...pair }
}

/** Reads a certificate or key file. Throws `SETTINGS_INVALID`. */
export async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw invalid(file, 'it cannot be read', cause)
  }
}

/** The sorted names in a folder; none when it is missing or not ours to read. */
export async function list(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).toSorted()
  } catch {
    return []
  }
}

/** The error for a configuration file we cannot honour. */
export function invalid(file: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('SETTINGS_INVALID', `${file}: ${reason}`, {
    hint: 'correct or remove the file',
    details: { file, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
