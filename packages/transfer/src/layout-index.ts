import { randomUUID } from 'node:crypto'
import { lstat, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import {
  type Descriptor,
  type Index,
  indexJson,
  maxDocumentBytes,
  mediaTypes,
  parseManifest,
} from '@katman/oci'
import { invalidLayout } from './layout-blobs.ts'
import { withLayoutLock } from './layout-lock.ts'

/** The annotation that names an entry. */
const refName = 'org.opencontainers.image.ref.name'

/** Reads `index.json`. Throws `LAYOUT_INVALID`, `MANIFEST_INVALID`. */
export async function readLayoutIndex(folder: string): Promise<Index> {
  const file = path.join(folder, 'index.json')
  const stat = await lstat(file).catch(() => undefined)
  if (!stat?.isFile()) throw invalidLayout(folder, 'it has no index.json file')
  if (stat.size > maxDocumentBytes)
    throw invalidLayout(folder, 'its index.json is larger than 4 MiB')
  const document = parseManifest(await readFile(file), mediaTypes.ociIndex)
  if (document.kind !== 'index') throw invalidLayout(folder, 'its index.json is no index')
  return document
}

/** Changes the entries of `index.json`, alone among all processes; undefined from `change` leaves them. */
export async function changeLayoutIndex(
  folder: string,
  change: (
    entries: readonly Descriptor[],
  ) => readonly Descriptor[] | undefined | Promise<readonly Descriptor[] | undefined>,
): Promise<void> {
  await withLayoutLock(folder, async () => {
    const { manifests, annotations } = await readLayoutIndex(folder)
    const changed = await change(manifests)
    if (changed === undefined) return
    const document = indexJson({
      mediaType: mediaTypes.ociIndex,
      manifests: changed,
      annotations,
    })
    await replaceFile(path.join(folder, 'index.json'), JSON.stringify(document))
  })
}

/** The entries with one more name, which leaves the entry that had it; an unnamed entry of the same content gets it. */
export function withName(
  entries: readonly Descriptor[],
  name: string,
  descriptor: Descriptor,
): readonly Descriptor[] {
  const annotations = { ...descriptor.annotations, [refName]: name }
  const kept = entries.filter((entry) => {
    const own = nameOf(entry)
    return own === undefined ? entry.digest !== descriptor.digest : own !== name
  })
  return [...kept, { ...descriptor, annotations }]
}

/** The name of an entry, if it has one. */
export function nameOf(entry: Descriptor): string | undefined {
  return entry.annotations?.[refName]
}

/** Writes a file so that a reader finds the old one or the new one, whole. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}`
  try {
    const handle = await open(temporary, 'wx', 0o644)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
}
