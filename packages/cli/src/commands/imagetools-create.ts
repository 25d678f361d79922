import { readFile } from 'node:fs/promises'
import {
  canonicalName,
  type Descriptor,
  familiarReference,
  isIndexType,
  isManifestType,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { Remote } from '@katman/remote'
import { copyContent, openMemoryPlace } from '@katman/transfer'
import { admit } from '../admit.ts'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { parseAnnotations } from '../imagetools-annotations.ts'
import { draftIndex, type IndexDraft } from '../imagetools-index.ts'
import { parsePlatforms } from '../imagetools-platforms.ts'
import { fetchSources, type IndexSource, parseSources } from '../imagetools-sources.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { goJson } from '../terminal/go-json.ts'
import { writeFileWhole } from '../write-file.ts'

export interface ImagetoolsCreateFlags {
  readonly annotation: readonly string[]
  readonly append: boolean
  readonly dryRun: boolean
  readonly file: readonly string[]
  readonly metadataFile: string | undefined
  readonly platform: readonly string[]
  readonly preferIndex: boolean
  readonly tag: readonly string[]
}

/** `buildx imagetools create [SOURCE...]`: an index over images that are in registries. */
export async function run(
  context: Context,
  flags: ImagetoolsCreateFlags,
  args: readonly string[],
): Promise<void> {
  try {
    await create(context, flags, args)
  } catch (error) {
    const failure = plainFailure(error)
    throw new CommandFailure(`ERROR: ${failure.message}`, { cause: error })
  }
}

async function create(
  context: Context,
  flags: ImagetoolsCreateFlags,
  args: readonly string[],
): Promise<void> {
  if (args.length + flags.file.length === 0) throw new CommandFailure('no sources specified')
  if (flags.tag.length === 0 && !flags.dryRun) {
    throw new CommandFailure("can't push with no tags specified, please set --tag or --dry-run")
  }
  // buildx's order: what the tag has, then files, then arguments.
  const appended = flags.append ? flags.tag.slice(0, 1) : []
  const files = await Promise.all(flags.file.map((file) => readFile(file, 'utf8')))
  const texts = [...appended, ...files.map((text) => text.trim()), ...args]
  const tags = flags.tag.map((text) => withDefaultTag(parseReference(text)))
  const parsed = parseSources(texts, tags)
  const platforms = parsePlatforms(flags.platform)
  const call = { signal: context.signal }
  await using remote = await context.openRemote()
  const sources = await fetchSources(remote, parsed, call)
  const annotations = parseAnnotations(flags.annotation)
  const { preferIndex } = flags
  const draft = await draftIndex(sources, { annotations, platforms, preferIndex }, call)
  for (const source of sources) await mayTake(context, source, draft)
  if (flags.dryRun) {
    context.stdout.write(`${Buffer.from(draft.bytes).toString('utf8')}\n`)
    return
  }
  let pushed: Descriptor | undefined
  for (const repository of new Set(tags.map(canonicalName))) {
    const own = tags.filter((tag) => canonicalName(tag) === repository)
    pushed = await push(context, remote, own, draft, sources)
  }
  if (flags.metadataFile !== undefined && pushed !== undefined) {
    await writeMetadata(flags.metadataFile, pushed, tags)
  }
}

/** The signature policy speaks of every source: of all of it, or of the entries that the new index has. */
async function mayTake(context: Context, source: IndexSource, draft: IndexDraft): Promise<void> {
  const { reference, repository, descriptor, document, bytes } = source
  const { mediaType, digest, size } = descriptor
  const taken = new Set(draft.parts.map(({ part }) => part.digest))
  const entries = document.kind === 'index' ? document.manifests : []
  const isWhole = draft.bytes === bytes
  await admit(context, {
    source: repository,
    root: { mediaType, digest, size },
    from: { registry: reference },
    ...(isWhole ? {} : { chosen: async () => entries.filter((one) => taken.has(one.digest)) }),
  })
}

/** Copies what the repository lacks, then the index, then names it. */
async function push(
  context: Context,
  remote: Remote,
  tags: readonly Reference[],
  draft: IndexDraft,
  sources: readonly IndexSource[],
): Promise<Descriptor | undefined> {
  const [first] = tags
  if (first === undefined) return undefined
  const call = { signal: context.signal }
  const mountSources = (): readonly string[] =>
    sources
      .filter(({ reference }) => reference.registry === first.registry)
      .map(({ reference }) => reference.repository)
  const target = remote.repository(first, { mountSources })
  for (const { part, from } of draft.parts) {
    if (isManifestType(part.mediaType) || isIndexType(part.mediaType)) {
      await copyContent(from, target, part, { ...call, readFrom: 'source' })
    }
  }
  const place = openMemoryPlace('new index')
  const root = place.add(draft.mediaType, draft.bytes)
  await target.write(root, (start) => place.open(root, { start }), call)
  for (const tag of tags) {
    await target.tag(tag.tag ?? '', root, call)
    const shown = escapeTerminal(`${familiarReference(tag)}@${root.digest}`)
    context.stderr.write(`pushed ${shown}\n`)
  }
  return root
}

/** What was made, for programs: keys as buildx has them. */
async function writeMetadata(
  file: string,
  { mediaType, digest, size }: Descriptor,
  tags: readonly Reference[],
): Promise<void> {
  const names = [...new Set(tags.map(canonicalName))].toSorted()
  const text = goJson(
    {
      'containerimage.descriptor': { mediaType, digest, size },
      'image.name': names.join(','),
    },
    '  ',
  )
  await writeFileWhole(
    (async function* bytes() {
      yield Buffer.from(text)
    })(),
    file,
  )
}
