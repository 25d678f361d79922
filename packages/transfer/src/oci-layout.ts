import { randomUUID } from 'node:crypto'
import { link, lstat, mkdir, readFile, unlink } from 'node:fs/promises'
import path from 'node:path'
import { type Descriptor, isDigest, KatmanError, mediaTypes } from '@katman/oci'
import { hasBlob, invalidLayout, openBlob, writeBlob } from './layout-blobs.ts'
import {
  changeLayoutIndex,
  nameOf,
  readLayoutIndex,
  replaceFile,
  withName,
} from './layout-index.ts'
import { readLayoutReferrers, recordLayoutReferrer } from './layout-referrers.ts'
import type { NamingTarget, ReferrerSource, Source } from './place.ts'
import { referrersOfType } from './referrers.ts'

/** An OCI image layout folder (image-spec image-layout.md). */
export interface OciLayout extends Source, NamingTarget, ReferrerSource {
  readonly folder: string
  /** The entries of `index.json`. */
  entries(): Promise<readonly Descriptor[]>
  /** Lists content in `index.json` without a name, unless it is listed already. */
  list(descriptor: Descriptor): Promise<void>
}

/**
 * Opens an OCI layout; with `create`, makes an empty one where there is none. Other processes may change it, too.
 * Throws `LAYOUT_INVALID` when the folder holds no layout, or blobs that are links.
 */
export async function openOciLayout(
  folder: string,
  options: { readonly create?: boolean } = {},
): Promise<OciLayout> {
  if (options.create) await createLayout(folder)
  await checkMarker(folder)
  const name = `OCI layout ${folder}`
  return {
    name,
    folder,
    entries: async () => (await readLayoutIndex(folder)).manifests,
    async resolve(reference) {
      const { manifests } = await readLayoutIndex(folder)
      const found = manifests.findLast((entry) =>
        isDigest(reference) ? entry.digest === reference : nameOf(entry) === reference,
      )
      if (found !== undefined) return found
      throw new KatmanError('MANIFEST_UNKNOWN', `${name}: no manifest for ${reference}`, {
        details: { reference, folder },
      })
    },
    open: (descriptor, call = {}) => openBlob(folder, descriptor, call),
    has: (descriptor) => hasBlob(folder, descriptor),
    async write(descriptor, source, call = {}) {
      await writeBlob(folder, descriptor, source, call)
      await recordLayoutReferrer(folder, descriptor)
    },
    async tag(tag, descriptor) {
      await changeLayoutIndex(folder, (entries) => withName(entries, tag, descriptor))
    },
    async list(descriptor) {
      await changeLayoutIndex(folder, (entries) =>
        entries.some(({ digest }) => digest === descriptor.digest)
          ? undefined
          : [...entries, descriptor],
      )
    },
    async referrers(subject, { artifactType } = {}) {
      return referrersOfType(await readLayoutReferrers(folder, subject), artifactType)
    },
  }
}

async function createLayout(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'blobs', 'sha256'), { recursive: true })
  await writeOnce(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeOnce(
    path.join(folder, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }),
  )
}

/** Another process may be making the same layout, and have written into it already. */
async function writeOnce(file: string, text: string): Promise<void> {
  if ((await lstat(file).catch(() => undefined)) !== undefined) return
  const temporary = `${file}.${randomUUID()}`
  await replaceFile(temporary, text)
  try {
    await link(temporary, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(temporary)
  }
}

/** Far more than the marker of a layout has. */
const maxMarkerBytes = 4096

async function checkMarker(folder: string): Promise<void> {
  let version: unknown
  const file = path.join(folder, 'oci-layout')
  const stat = await lstat(file).catch(() => undefined)
  // Opening a pipe would wait for ever.
  if (stat !== undefined && !(stat.isFile() && stat.size <= maxMarkerBytes)) {
    throw invalidLayout(folder, 'its oci-layout is no small file')
  }
  try {
    const marker: unknown = JSON.parse(await readFile(file, 'utf8'))
    version = (marker as { imageLayoutVersion?: unknown } | null)?.imageLayoutVersion
  } catch (cause) {
    throw invalidLayout(folder, 'it has no readable oci-layout file', cause)
  }
  if (version !== '1.0.0')
    throw invalidLayout(folder, `its version is ${String(version)}, not 1.0.0`)
}
