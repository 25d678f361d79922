import { readFile } from 'node:fs/promises'
import {
  type Descriptor,
  familiarReference,
  type Index,
  indexJson,
  indexTypeFor,
  isIndexType,
  isManifestType,
  type Manifest,
  matchPlatforms,
  mergeEntries,
  parseManifest,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { Remote, RemoteRepository } from '@katman/remote'
import { copyContent, openMemoryPlace } from '@katman/transfer'
import { readConfigPlatform } from '../config-platform.ts'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { goJson } from '../terminal/go-json.ts'
import { typedPlatform } from '../host-platform.ts'

export interface ImagetoolsCreateFlags {
  readonly annotation: readonly string[]
  readonly append: boolean
  readonly dryRun: boolean
  readonly file: readonly string[]
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
    const tags = flags.tag.map((text) => withDefaultTag(parseReference(text)))
    const [first] = tags
    if (first === undefined && !flags.dryRun)
      throw new CommandFailure("can't push with no tags specified, please set --tag or --dry-run")
    if (args.length + flags.file.length === 0 && !flags.append) {
      throw new CommandFailure('no sources specified')
    }
    await using remote = await context.openRemote()
    const sources = await openSources(context, remote, flags, args, first)
    const draft = await combine(context, sources, flags)
    if (flags.dryRun) {
      context.stdout.write(draft.text)
      return
    }
    for (const tag of tags) await push(context, remote, tag, draft, sources)
  } catch (error) {
    const failure = plainFailure(error)
    throw new CommandFailure(`ERROR: ${failure.message}`, { cause: error })
  }
}

/** A source: where it is, and its document. */
interface Source {
  readonly repository: RemoteRepository
  readonly reference: Reference
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  readonly document: Manifest | Index
}

async function openSources(
  context: Context,
  remote: Remote,
  flags: ImagetoolsCreateFlags,
  args: readonly string[],
  target: Reference | undefined,
): Promise<readonly Source[]> {
  const named = args.map((text) => sourceReference(text, target))
  for (const file of flags.file) named.push(await fileReference(file, target))
  const appended = flags.append && target !== undefined ? [target] : []
  const sources: Source[] = []
  for (const reference of [...appended, ...named]) {
    const repository = remote.repository(reference)
    const wanted = reference.digest ?? reference.tag ?? ''
    const { descriptor, bytes } = await repository.fetchManifest(wanted, { signal: context.signal })
    const document = parseManifest(bytes, descriptor.mediaType)
    sources.push({ repository, reference, descriptor, bytes, document })
  }
  return sources
}

/** A name, or a digest alone, which is one of the target's repository. */
function sourceReference(text: string, target: Reference | undefined): Reference {
  if (/^sha\d+:/.test(text) && target !== undefined) {
    const { registry, repository } = target
    return { ...parseReference(`x/y@${text}`), registry, repository }
  }
  return withDefaultTag(parseReference(text))
}

/** A file with a descriptor as JSON, as `--metadata-file` of a build has it. */
async function fileReference(file: string, target: Reference | undefined): Promise<Reference> {
  const value: unknown = JSON.parse(await readFile(file, 'utf8'))
  const digest = value instanceof Object && 'digest' in value ? value.digest : undefined
  if (typeof digest !== 'string') throw new CommandFailure(`${file}: no descriptor with a digest`)
  return sourceReference(digest, target)
}

/** What is to be pushed under the tags. */
interface Draft {
  readonly mediaType: string
  readonly text: string
  readonly entries: readonly { readonly entry: Descriptor; readonly from: RemoteRepository }[]
}

async function combine(
  context: Context,
  sources: readonly Source[],
  flags: ImagetoolsCreateFlags,
): Promise<Draft> {
  const [only, second] = sources
  const annotations = readAnnotations(flags.annotation)
  const isPlain = annotations.index === undefined && annotations.entry === undefined
  if (only !== undefined && second === undefined && isPlain && flags.platform.length === 0) {
    const isIndex = only.document.kind === 'index'
    if (isIndex || !flags.preferIndex) {
      const text = Buffer.from(only.bytes).toString('utf8')
      const from = only.repository
      const entries = isIndex ? only.document.manifests.map((entry) => ({ entry, from })) : []
      return { mediaType: only.descriptor.mediaType, text, entries }
    }
  }
  const origins = new Map<string, RemoteRepository>()
  const found: Descriptor[] = []
  for (const source of sources) {
    for (const entry of await entriesOf(context, source)) {
      found.push(annotations.entry === undefined ? entry : annotated(entry, annotations.entry))
      if (!origins.has(entry.digest)) origins.set(entry.digest, source.repository)
    }
  }
  const manifests = choosePlatforms(mergeEntries(found), flags.platform)
  const draft = { manifests, annotations: annotations.index }
  const mediaType = indexTypeFor(draft)
  const text = goJson(indexJson({ ...draft, mediaType }), '  ', { escapesHtml: false })
  const entries = manifests.flatMap((entry) => {
    const from = origins.get(entry.digest)
    return from === undefined ? [] : [{ entry, from }]
  })
  return { mediaType, text, entries }
}

/** The entries of an index, or a manifest as an entry with the platform its config has. */
async function entriesOf(context: Context, source: Source): Promise<readonly Descriptor[]> {
  const { document, repository } = source
  if (document.kind === 'index') return document.manifests
  const { mediaType, digest, size } = source.descriptor
  const platform = await readConfigPlatform(repository, document, { signal: context.signal })
  return [{ mediaType, digest, size, ...(platform === undefined ? {} : { platform }) }]
}

function choosePlatforms(
  entries: readonly Descriptor[],
  platforms: readonly string[],
): readonly Descriptor[] {
  if (platforms.length === 0) return entries
  const wanted = platforms.flatMap((text) => text.split(',')).map((text) => typedPlatform(text))
  const chosen = wanted.flatMap((platform) =>
    matchPlatforms(platform, entries, (entry) => entry.platform).slice(0, 1),
  )
  return entries.filter((entry) => chosen.includes(entry))
}

interface Annotations {
  readonly index: Readonly<Record<string, string>> | undefined
  readonly entry: Readonly<Record<string, string>> | undefined
}

function readAnnotations(texts: readonly string[]): Annotations {
  const index: Record<string, string> = {}
  const entry: Record<string, string> = {}
  for (const text of texts) {
    const found = /^(?:(index|manifest-descriptor):)?([^=]+)=(.*)$/s.exec(text)
    if (found === null) {
      throw new CommandFailure(
        `invalid annotation ${JSON.stringify(text)}: write index:KEY=VALUE or manifest-descriptor:KEY=VALUE`,
      )
    }
    const [, kind = 'index', key = '', value = ''] = found
    if (kind === 'index') index[key] = value
    else entry[key] = value
  }
  const filled = (map: Record<string, string>): Record<string, string> | undefined =>
    Object.keys(map).length === 0 ? undefined : map
  return { index: filled(index), entry: filled(entry) }
}

function annotated(entry: Descriptor, annotations: Readonly<Record<string, string>>): Descriptor {
  return { ...entry, annotations: { ...entry.annotations, ...annotations } }
}

/** Copies what the repository lacks, then the index, then names it. */
async function push(
  context: Context,
  remote: Remote,
  tag: Reference,
  draft: Draft,
  sources: readonly Source[],
): Promise<void> {
  const call = { signal: context.signal }
  const mountSources = (): readonly string[] =>
    sources
      .filter(({ reference }) => reference.registry === tag.registry)
      .map(({ reference }) => reference.repository)
  const target = remote.repository(tag, { mountSources })
  for (const { entry, from } of draft.entries) {
    if (isManifestType(entry.mediaType) || isIndexType(entry.mediaType)) {
      await copyContent(from, target, entry, { ...call, readFrom: 'source' })
    }
  }
  const [only] = sources
  if (draft.entries.length === 0 && only !== undefined && only.document.kind === 'manifest') {
    await copyContent(only.repository, target, only.descriptor, { ...call, readFrom: 'source' })
  }
  const place = openMemoryPlace('new index')
  const root = place.add(draft.mediaType, Buffer.from(draft.text))
  await target.write(root, (start) => place.open(root, { start }), call)
  await target.tag(tag.tag ?? '', root, call)
  const shown = escapeTerminal(`${familiarReference(tag)}@${root.digest}`)
  context.stderr.write(`pushed ${shown}\n`)
}
