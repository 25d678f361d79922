import { formatPlatform, isKatmanError, parseManifest, parseReference } from '@katman/oci'
import type { RemoteRepository } from '@katman/remote'
import { selectPlatform } from '@katman/store'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { renderRows } from '../terminal/format-rows.ts'
import { typedPlatform } from '../host-platform.ts'

export interface TagsFlags {
  readonly format: string | undefined
  readonly limit: number | undefined
  readonly noDigests: boolean
  readonly platform: string | undefined
  readonly quiet: boolean
}

interface TagRow {
  readonly tag: string
  readonly digest: string
}

/** Questions to the registry at the same time. */
const concurrency = 8

/** `tags REPOSITORY` */
export async function run(
  context: Context,
  flags: TagsFlags,
  [name = '']: readonly string[],
): Promise<void> {
  try {
    const reference = parseReference(name)
    if (reference.tag !== undefined || reference.digest !== undefined) {
      throw new CommandFailure(`tags takes a repository, not an image: ${name}`)
    }
    await using remote = await context.openRemote()
    const repository = remote.repository(reference)
    const { limit } = flags
    if (limit !== undefined && limit < 1) throw new CommandFailure('--limit must be above 0')
    const all = await Array.fromAsync(repository.tags({ signal: context.signal }))
    const tags = (await newestFirst(all)).slice(0, limit)
    const namesOnly = (flags.quiet || flags.noDigests) && flags.platform === undefined
    const rows = namesOnly
      ? tags.map((tag) => ({ tag, digest: '' }))
      : await withDigests(context, repository, tags, flags.platform)
    const text = await renderRows({
      rows,
      fields: {
        Tag: { header: 'TAG', value: (row: TagRow) => row.tag },
        Digest: { header: 'DIGEST', value: (row: TagRow) => row.digest },
      },
      defaultTable: flags.noDigests ? ['Tag'] : ['Tag', 'Digest'],
      format: flags.format,
      quiet: flags.quiet ? 'Tag' : undefined,
      typeName: 'tagContext',
    })
    context.stdout.write(text)
  } catch (error) {
    throw plainFailure(error)
  }
}

/** `latest`, then what looks like a version, the newest first, then all others in the registry's order. */
async function newestFirst(tags: readonly string[]): Promise<readonly string[]> {
  const { newestVersions } = await import('../sync/tag-versions.ts')
  const versions = newestVersions(tags)
  const known = new Set(['latest', ...versions])
  const latest = tags.includes('latest') ? ['latest'] : []
  return [...latest, ...versions, ...tags.filter((tag) => !known.has(tag))]
}

/** Tags with their digest, in the order given; with a platform, only the tags that have it. */
async function withDigests(
  context: Context,
  repository: RemoteRepository,
  tags: readonly string[],
  platform: string | undefined,
): Promise<readonly TagRow[]> {
  const rows: (TagRow | undefined)[] = Array.from({ length: tags.length })
  const pending = tags.entries()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const [position, tag] of pending) {
        const digest = await tagDigest(context, repository, tag, platform)
        if (digest !== undefined) rows[position] = { tag, digest }
      }
    }),
  )
  return rows.filter((row) => row !== undefined)
}

async function tagDigest(
  context: Context,
  repository: RemoteRepository,
  tag: string,
  platform: string | undefined,
): Promise<string | undefined> {
  const call = { signal: context.signal }
  if (platform === undefined) return (await repository.resolve(tag, call)).digest
  const { descriptor, bytes } = await repository.fetchManifest(tag, call)
  const document = parseManifest(bytes, descriptor.mediaType)
  const wanted = typedPlatform(platform)
  if (document.kind === 'manifest') return descriptor.digest
  try {
    return selectPlatform(document, wanted)[0]?.digest
  } catch (error) {
    if (isKatmanError(error, 'PLATFORM_UNKNOWN')) return undefined
    throw new CommandFailure(`${tag} (${formatPlatform(wanted)}): ${String(error)}`, {
      cause: error,
    })
  }
}
