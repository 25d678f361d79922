import { isTag } from '@katman/oci'
import { copyContent, openOciLayout } from '@katman/transfer'
import type { Content } from '../proxy/content.ts'
import { openContentPlace } from '../replication/content-place.ts'
import type { ImportOptions, ImportResult } from './import-report.ts'
import { createImportTally } from './import-tally.ts'

const refName = 'org.opencontainers.image.ref.name'

/**
 * Brings in every image of an OCI layout folder, into one repository, under the tags it has there, with what refers to them. Done
 * again, it brings in what is new.
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
  const place = openContentPlace(content, repository)
  const tally = createImportTally(onEvent)
  tally.repository(repository)
  for (const entry of await layout.entries()) {
    signal?.throwIfAborted()
    const { annotations: _own, ...root } = entry
    const tag = tagOf(entry.annotations?.[refName])
    await tally.attempt(repository, tag ?? root.digest, async () => {
      if (dryRun === true) return { digest: root.digest, movedBlobs: 0, movedBytes: 0 }
      const { movedBlobs, movedBytes } = await copyContent(layout, place, root, {
        configs: 'copy',
        referrers: true,
        signal,
      })
      if (tag !== undefined && (await content.tag(repository, tag)) !== root.digest) {
        await place.tag(tag, root)
      }
      return { digest: root.digest, movedBlobs, movedBytes }
    })
  }
  return tally.result()
}

/** The name in a layout is a tag, or with some tools a whole reference. */
function tagOf(name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  const last = name.split('/').at(-1) ?? ''
  const colon = last.lastIndexOf(':')
  const tag = colon !== -1 ? last.slice(colon + 1) : name.includes('/') ? 'latest' : last
  return isTag(tag) ? tag : undefined
}
