import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import {
  type Descriptor,
  formatReference,
  type Index,
  isDigest,
  KatmanError,
  type Manifest,
  mediaTypes,
  parseManifest,
  parseReference,
  type Platform,
  type Reference,
} from '@katman/oci'
import type { Environment } from './context.ts'
import { verboseEntry } from './manifest-json.ts'
import { goJson } from './terminal/go-json.ts'

/** One manifest of a list that is being made. */
export interface ListEntry {
  readonly reference: Reference
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** The lists that `manifest create` has begun, in docker's folder and form: a file for each manifest of a list. */
export interface ManifestLists {
  /** The manifests of a list, sorted by name; undefined when there is no such list. */
  read(list: Reference): Promise<readonly ListEntry[] | undefined>
  save(list: Reference, entry: ListEntry): Promise<void>
  /** False when there was none. */
  remove(list: Reference): Promise<boolean>
}

export function openManifestLists(env: Environment): ManifestLists {
  const config = env['DOCKER_CONFIG'] || path.join(env['HOME'] || homedir(), '.docker')
  const folderOf = (list: Reference): string => path.join(config, 'manifests', fileName(list))
  return {
    async read(list) {
      const folder = folderOf(list)
      const names = await readdir(folder).catch(() => undefined)
      if (names === undefined) return undefined
      const files = names.filter((name) => !name.startsWith('.')).toSorted()
      return Promise.all(files.map((name) => readEntry(path.join(folder, name))))
    },
    async save(list, entry) {
      const folder = folderOf(list)
      await mkdir(folder, { recursive: true, mode: 0o755 })
      const document = parseManifest(entry.bytes, entry.descriptor.mediaType)
      if (document.kind !== 'manifest') throw new TypeError('a list holds manifests only')
      const value = verboseEntry(
        formatReference(entry.reference),
        entry.descriptor,
        entry.bytes,
        document,
      )
      const temporary = path.join(folder, `.${randomUUID()}`)
      await writeFile(temporary, goJson(value), { mode: 0o644 })
      await rename(temporary, path.join(folder, fileName(entry.reference)))
    },
    async remove(list) {
      const folder = folderOf(list)
      if ((await readdir(folder).catch(() => undefined)) === undefined) return false
      await rm(folder, { recursive: true })
      return true
    },
  }
}

/** docker's names: `docker.io_library_alpine-3.20`. */
function fileName(reference: Reference): string {
  return formatReference(reference).replaceAll(':', '-').replaceAll('/', '_')
}

/** What is read back of a file; nothing of it is trusted but its form. */
interface StoredEntry {
  readonly Ref?: unknown
  readonly Raw?: unknown
  readonly Descriptor?: {
    readonly mediaType?: unknown
    readonly digest?: unknown
    readonly size?: unknown
    readonly platform?: Readonly<Record<string, unknown>>
  }
}

async function readEntry(file: string): Promise<ListEntry> {
  const broken = (cause?: unknown): KatmanError =>
    new KatmanError(
      'MANIFEST_LIST_DAMAGED',
      `the local manifest list has a damaged file: ${file}`,
      {
        hint: 'remove the list with: katman manifest rm, and make it again',
        details: { file },
        ...(cause === undefined ? {} : { cause }),
      },
    )
  try {
    const {
      Ref: ref,
      Raw: raw,
      Descriptor: stored = {},
    } = JSON.parse(await readFile(file, 'utf8')) as StoredEntry
    const { mediaType, digest, size, platform } = stored
    const isGood =
      typeof ref === 'string' &&
      typeof raw === 'string' &&
      typeof mediaType === 'string' &&
      typeof digest === 'string' &&
      isDigest(digest) &&
      typeof size === 'number'
    if (!isGood) throw broken()
    return {
      reference: parseReference(ref),
      descriptor: {
        mediaType,
        digest,
        size,
        ...(platform === undefined ? {} : { platform: platformOf(platform) }),
      },
      bytes: Buffer.from(raw, 'base64'),
    }
  } catch (error) {
    throw error instanceof KatmanError && error.code === 'MANIFEST_LIST_DAMAGED'
      ? error
      : broken(error)
  }
}

function platformOf(value: Readonly<Record<string, unknown>>): Platform {
  const text = (key: string): string => (typeof value[key] === 'string' ? value[key] : '')
  const features = value['os.features']
  const isList = Array.isArray(features) && features.every((one) => typeof one === 'string')
  return {
    os: text('os'),
    architecture: text('architecture'),
    ...(text('variant') === '' ? {} : { variant: text('variant') }),
    ...(text('os.version') === '' ? {} : { osVersion: text('os.version') }),
    ...(isList && features.length > 0 ? { osFeatures: features } : {}),
  }
}

/** The list as an index. docker takes its kind from the first manifest. */
export function listDocument(entries: readonly ListEntry[]): Index {
  const manifests = entries.map(({ descriptor }) => descriptor)
  const isOci = manifests[0]?.mediaType === mediaTypes.ociManifest
  const mediaType = isOci ? mediaTypes.ociIndex : mediaTypes.dockerManifestList
  return { kind: 'index', mediaType, manifests }
}

/** The manifest of an entry. */
export function manifestOf({ bytes, descriptor }: ListEntry): Manifest {
  const document = parseManifest(bytes, descriptor.mediaType)
  if (document.kind === 'manifest') return document
  throw new TypeError(`${descriptor.digest} is an index`)
}
