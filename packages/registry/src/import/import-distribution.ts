import type { Descriptor } from '@katman/oci'
import { copyContent, verified } from '@katman/transfer'
import type { Content } from '../proxy/content.ts'
import { matchesName } from '../proxy/name-pattern.ts'
import { isDocument, openContentPlace } from '../replication/content-place.ts'
import { type DistributionRepository, openDistributionFolder } from './distribution-folder.ts'
import { createImportTally } from './import-tally.ts'
import type { ImportOptions, ImportResult } from './import-report.ts'

export interface DistributionImportOptions extends ImportOptions {
  /** Copies files instead of giving them a second name. Default false. */
  readonly copy?: boolean
}

/**
 * Brings in everything a distribution registry has in its folder, while both registries serve. Every byte is verified. Done
 * again, it brings in what is new; stopped, it goes on. One image that is damaged does not keep the others out.
 *
 * @throws KatmanError `STORAGE_INVALID`.
 */
export async function importDistribution(
  content: Content,
  folder: string,
  options: DistributionImportOptions = {},
): Promise<ImportResult> {
  const { only = [], signal } = options
  const source = await openDistributionFolder(folder)
  const tally = createImportTally(options.onEvent)
  for await (const name of source.repositories()) {
    if (only.length > 0 && !only.some((pattern) => matchesName(pattern, name))) continue
    const repository = options.prefix === undefined ? name : `${options.prefix}/${name}`
    tally.repository(repository)
    const from = source.repository(name)
    const job = { content, from, repository, options, tally }
    for await (const tag of from.tags()) {
      signal?.throwIfAborted()
      await tally.attempt(repository, tag, () => importOne(job, tag, tag))
    }
    // What tags lead to is not here before they are imported.
    if (options.dryRun === true) continue
    for await (const digest of from.revisions()) {
      signal?.throwIfAborted()
      if ((await content.manifest(repository, digest)) !== undefined) continue
      await tally.attempt(repository, digest, () => importOne(job, digest, undefined))
    }
  }
  return tally.result()
}

interface Job {
  readonly content: Content
  readonly from: DistributionRepository
  readonly repository: string
  readonly options: DistributionImportOptions
}

async function importOne(job: Job, reference: string, tag: string | undefined) {
  const { content, from, options, repository } = job
  const root = await from.resolve(reference)
  const place = openContentPlace(content, repository)
  if (options.dryRun === true) return { digest: root.digest, movedBlobs: 0, movedBytes: 0 }
  const target = {
    ...place,
    async write(...[descriptor, open, call]: Parameters<typeof place.write>): Promise<void> {
      if (isDocument(descriptor) || options.copy === true) {
        await place.write(descriptor, open, call)
        return
      }
      await adopt(job, descriptor, options.signal)
    },
  }
  const copied = await copyContent(from, target, root, {
    configs: 'copy',
    concurrency: 2,
    signal: options.signal,
  })
  if (tag !== undefined && (await content.tag(repository, tag)) !== root.digest) {
    await place.tag(tag, root)
  }
  const { movedBlobs, movedBytes } = copied
  return { digest: root.digest, movedBlobs, movedBytes }
}

/** Verifies the file and makes it the registry's own. */
async function adopt(
  { content, from, repository }: Job,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const chunk of verified(await from.open(descriptor), descriptor, from.name)) {
    signal?.throwIfAborted()
    void chunk
  }
  const { digest, size } = descriptor
  const read = async function* () {
    yield* verified(await from.open(descriptor), descriptor, from.name)
  }
  await content.putBlob(repository, { digest, size }, read, from.file(digest))
}
