import type { Descriptor, Manifest } from '@katman/oci'
import { pathInvalid, pathParts, titleKey, unpackKey } from './title.ts'

/** One file of an artifact. */
export interface ListedFile {
  readonly descriptor: Descriptor
  /** Its clean relative path; undefined for content without a name, which is not a file. */
  readonly title: string | undefined
  /** It is a folder: a tar archive to be unpacked. */
  readonly isFolder: boolean
}

/** The files of an artifact. Throws `ARTIFACT_PATH_INVALID` for a title that leads elsewhere, comes twice or leads through a file. */
export function listFiles(manifest: Manifest): readonly ListedFile[] {
  const titles = new Set<string>()
  const files = manifest.layers.map((descriptor) => {
    const given = descriptor.annotations?.[titleKey]
    const isFolder = descriptor.annotations?.[unpackKey] === 'true'
    if (given === undefined || given === '') return { descriptor, title: undefined, isFolder }
    const title = pathParts(given).join('/')
    if (titles.has(title)) throw pathInvalid(given, 'two files have this name')
    // On a terminal such a name would be shown as another, or do something.
    if (/\p{Cc}/u.test(title)) throw pathInvalid(given, 'there is a control character in it')
    titles.add(title)
    return { descriptor, title, isFolder }
  })
  for (const { title, isFolder } of files) {
    if (title === undefined || isFolder) continue
    const below = [...titles].find((one) => one.startsWith(`${title}/`))
    if (below !== undefined) throw pathInvalid(below, `${title} is a file`)
  }
  return files
}

/** The name a layer of an artifact claims, unchecked: for messages. */
export function titleOf({ annotations }: Descriptor): string | undefined {
  return annotations?.[titleKey]
}

/** The type of an artifact: its own, else that of its config. */
export function artifactTypeOf({ artifactType, config }: Manifest): string {
  return artifactType ?? config.mediaType
}
