import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { KatmanError } from '@katman/oci'
import type { Credential } from './credential.ts'
import type { StorableCredential } from './credential-helper.ts'

/** A `config.json` of docker or an `auth.json` of containers, with everything it holds. */
export type AuthDocument = Readonly<Record<string, unknown>>

/** Parses the file's text; a broken one is an error for the caller to tell or to pass over. */
export function parseAuthDocument(text: string, file: string): AuthDocument {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw broken(file, 'no valid JSON', cause)
  }
  if (!isObject(document)) throw broken(file, 'not an object')
  return document
}

/** Reads the file; undefined when there is none. */
export async function readAuthFile(file: string): Promise<AuthDocument | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw broken(file, 'it cannot be read', error)
  }
  return text.trim() === '' ? {} : parseAuthDocument(text, file)
}

/**
 * Replaces the file in one step, readable by its owner only, tab-indented like docker's. A symbolic link stays and
 * its target is replaced.
 */
export async function writeAuthFile(file: string, document: AuthDocument): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const target = await realpath(file).catch(() => file)
  const temporary = `${target}.${randomUUID()}`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(JSON.stringify(document, undefined, '\t'))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** The credential under one of these keys of `auths`, the first that has one. */
export function credentialIn(
  document: AuthDocument,
  keys: readonly string[],
): Credential | undefined {
  const auths = objectAt(document, 'auths')
  for (const key of keys) {
    const credential = readEntry(objectAt(auths, key))
    if (credential !== undefined) return credential
  }
  return undefined
}

/** The text under a key of an object of the document: `credHelpers`, `credsStore`. */
export function textAt(document: AuthDocument | undefined, key: string): string | undefined {
  if (document === undefined || !Object.hasOwn(document, key)) return undefined
  const value = document[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The object under a key; undefined when there is none. */
export function objectAt(
  document: AuthDocument | undefined,
  key: string,
): AuthDocument | undefined {
  if (document === undefined || !Object.hasOwn(document, key)) return undefined
  const value = document[key]
  return isObject(value) ? value : undefined
}

/** The document with another entry under `auths`; undefined removes it. */
export function withEntry(
  document: AuthDocument,
  key: string,
  entry: StorableCredential | 'elsewhere' | undefined,
): AuthDocument {
  const auths = Object.entries(objectAt(document, 'auths') ?? {}).filter(([name]) => name !== key)
  if (entry !== undefined) auths.push([key, entry === 'elsewhere' ? {} : formatEntry(entry)])
  // docker writes the keys in order.
  const sorted = auths.toSorted(([left], [right]) => (left < right ? -1 : 1))
  const { auths: _old, ...rest } = document
  return { auths: Object.fromEntries(sorted), ...rest }
}

function formatEntry(credential: StorableCredential): AuthDocument {
  const secret = credential.kind === 'basic' ? credential.password : ''
  return {
    auth: Buffer.from(`${credential.username}:${secret}`).toString('base64'),
    ...(credential.kind === 'identity' ? { identitytoken: credential.token } : {}),
  }
}

function readEntry(entry: AuthDocument | undefined): Credential | undefined {
  if (entry === undefined) return undefined
  const decoded = Buffer.from(textAt(entry, 'auth') ?? '', 'base64').toString()
  const colon = decoded.indexOf(':')
  const username = colon === -1 ? (textAt(entry, 'username') ?? '') : decoded.slice(0, colon)
  // Old docker versions padded with NUL.
  const password =
    colon === -1 ? (textAt(entry, 'password') ?? '') : decoded.slice(colon + 1).replace(/\0+$/, '')
  const token = textAt(entry, 'identitytoken')
  if (token !== undefined) return { kind: 'identity', username, token }
  const bearer = textAt(entry, 'registrytoken')
  if (bearer !== undefined) return { kind: 'bearer', token: bearer }
  return username === '' && password === '' ? undefined : { kind: 'basic', username, password }
}

function isObject(value: unknown): value is AuthDocument {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isMissing(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'ENOENT' || error.code === 'ENOTDIR'
}

function broken(file: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('SETTINGS_INVALID', `${file}: ${reason}`, {
    hint: 'correct the file, or log in again after moving it away',
    details: { file, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
