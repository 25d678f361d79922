import { type Digest, isTag, KatmanError } from '@katman/oci'
import { copyContent, openOciLayout } from '@katman/transfer'
import type { Content } from '../proxy/content.ts'
import { isRepositoryName } from '../route.ts'
import { openContentPlace } from '../replication/content-place.ts'
import type { ImportOptions, ImportResult } from './import-report.ts'
import { createImportTally } from './import-tally.ts'

const refName = 'org.opencontainers.image.ref.name'

/**
 * Brings in every image of an OCI layout folder, with what refers to it: into one repository, under the tags it has there; into
 * `team/` (with a slash at the end) under the names it has there. Done again, it brings in what is new.
 *
 * @throws KatmanError `LAYOUT_INVALID`.
 */
export async function importLayout(
  content: Content,
  folder: string,
  repository: string,
  options: Omit<ImportOptions, 'only' | 'prefix'> = {},
): Promise<ImportResult> {
  const { dryRun, onEvent, signal } = options
  const layout = await openOciLayout(folder)
  const tally = createImportTally(onEvent)
  const seen = new Map<string, Digest>()
  for (const entry of await layout.entries()) {
    signal?.throwIfAborted()
    const { annotations, ...root } = entry
    const { name, tag } = readName(annotations?.[refName])
    const target = repository.endsWith('/') ? `${repository}${name ?? 'image'}` : repository
    if (![...seen.keys()].some((key) => key.startsWith(`${target}:`))) tally.repository(target)
    await tally.attempt(target, tag ?? root.digest, async () => {
      checkTarget(target)
      const key = `${target}:${tag ?? root.digest}`
      const other = seen.get(key)
      if (other !== undefined && other !== root.digest) throw clash(key, repository)
      seen.set(key, root.digest)
      if (dryRun === true) return { digest: root.digest, movedBlobs: 0, movedBytes: 0 }
      const place = openContentPlace(content, target)
      const { movedBlobs, movedBytes } = await copyContent(layout, place, root, {
        configs: 'copy',
        referrers: true,
        signal,
      })
      if (tag !== undefined && (await content.tag(target, tag)) !== root.digest) {
        await place.tag(tag, root)
      }
      return { digest: root.digest, movedBlobs, movedBytes }
    })
  }
  return tally.result()
}

interface LayoutName {
  readonly name: string | undefined
  readonly tag: string | undefined
}

/** The name in a layout is a tag, or with some tools a whole reference. */
function readName(text: string | undefined): LayoutName {
  if (text === undefined) return { name: undefined, tag: undefined }
  const slash = text.lastIndexOf('/')
  const colon = text.indexOf(':', slash)
  if (colon === -1 && slash === -1) {
    return { name: undefined, tag: isTag(text) ? text : undefined }
  }
  const tag = colon === -1 ? 'latest' : text.slice(colon + 1)
  const parts = (colon === -1 ? text : text.slice(0, colon)).split('/')
  // A registry before the name is not part of it.
  const [host = ''] = parts
  if (parts.length > 1 && /[.:]|^localhost$/.test(host)) parts.shift()
  return { name: parts.join('/'), tag: isTag(tag) ? tag : undefined }
}

function checkTarget(name: string): void {
  if (isRepositoryName(name)) return
  throw new KatmanError('REFERENCE_INVALID', `${JSON.stringify(name)} is no name of a repository`, {
    hint: 'write lower-case letters and digits, with . _ - between them, and / between parts',
  })
}

function clash(key: string, repository: string): KatmanError {
  return new KatmanError('LAYOUT_INVALID', `the layout has two images for ${key}`, {
    hint: `import it into ${repository}/ (with a slash at the end): its images keep their names`,
  })
}
