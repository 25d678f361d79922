import {
  canonicalName,
  defaultTag,
  type Descriptor,
  formatPlatform,
  formatReference,
  type ImageConfig,
  type Index,
  isAttestation,
  isImageManifest,
  isManifestType,
  isUnknownPlatform,
  type Manifest,
  parseImageConfig,
  parseManifest,
  parseReference,
  platformJson,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { RemoteRepository } from '@katman/remote'
import { readVerified } from '@katman/transfer'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { goJson } from '../terminal/go-json.ts'
import { renderTemplate } from '../terminal/template.ts'

export interface ImagetoolsInspectFlags {
  readonly raw: boolean
  readonly format: string | undefined
}

interface Inspected {
  readonly reference: Reference
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  readonly document: Manifest | Index
}

/** `buildx imagetools inspect NAME`: straight from the registry. */
export async function run(
  context: Context,
  flags: ImagetoolsInspectFlags,
  [name = '']: readonly string[],
): Promise<void> {
  if (flags.raw && flags.format) {
    throw new CommandFailure('ERROR: format and raw cannot be used together')
  }
  try {
    const reference = withDefaultTag(parseReference(name))
    await using remote = await context.openRemote()
    const repository = remote.repository(reference)
    const wanted = reference.digest ?? reference.tag ?? defaultTag
    const fetched = await repository.fetchManifest(wanted, { signal: context.signal })
    const document = parseManifest(fetched.bytes, fetched.descriptor.mediaType)
    const inspected: Inspected = { reference, ...fetched, document }
    if (flags.raw) context.stdout.write(fetched.bytes)
    else if (!flags.format) context.stdout.write(manifestText(inspected))
    else context.stdout.write(await formatted(context, flags.format, inspected, repository))
  } catch (error) {
    const failure = plainFailure(error)
    throw new CommandFailure(`ERROR: ${failure.message}`, { cause: error })
  }
}

async function formatted(
  context: Context,
  format: string,
  inspected: Inspected,
  repository: RemoteRepository,
): Promise<string> {
  // `.Manifest` alone is the table, not a value.
  if (/^\s*\{\{\s*\.Manifest\s*\}\}\s*$/.test(format)) return manifestText(inspected)
  const needsImages = format === 'json' || format.includes('.Image')
  const images = needsImages ? await readConfigs(context, inspected, repository) : new Map()
  const { document } = inspected
  const image = document.kind === 'manifest' ? [...images.values()][0] : Object.fromEntries(images)
  const value = {
    Name: formatReference(inspected.reference),
    Manifest: manifestJson(inspected),
    Image: image ?? null,
  }
  if (format === 'json' || format === '{{json .}}') {
    const lower = { name: value.Name, manifest: value.Manifest, image: value.Image }
    return `${goJson(lower, '  ')}\n`
  }
  return renderTemplate(format, value, { jsonIndent: '  ' })
}

/** The configs by platform; attestations have none. */
async function readConfigs(
  context: Context,
  { document }: Inspected,
  repository: RemoteRepository,
): Promise<ReadonlyMap<string, unknown>> {
  const call = { signal: context.signal }
  const readConfig = async (manifest: Manifest): Promise<ImageConfig> =>
    parseImageConfig(await readVerified(repository, manifest.config, call))
  const configs = new Map<string, unknown>()
  if (document.kind === 'manifest') {
    if (isImageManifest(document)) {
      const config = await readConfig(document)
      configs.set(formatPlatform(config.platform), config.raw)
    }
    return configs
  }
  for (const entry of document.manifests) {
    const { platform } = entry
    if (!isManifestType(entry.mediaType) || isAttestation(entry)) continue
    if (platform === undefined || isUnknownPlatform(platform)) continue
    const manifest = parseManifest(await readVerified(repository, entry, call), entry.mediaType)
    if (manifest.kind !== 'manifest' || !isImageManifest(manifest)) continue
    configs.set(formatPlatform(platform), (await readConfig(manifest)).raw)
  }
  return configs
}

function manifestJson({ descriptor, document }: Inspected): unknown {
  const head = {
    schemaVersion: 2,
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
  }
  if (document.kind === 'index') {
    return {
      ...head,
      manifests: document.manifests.map(entryJson),
      annotations: document.annotations,
    }
  }
  return {
    ...head,
    config: entryJson(document.config),
    layers: document.layers.map(entryJson),
    annotations: document.annotations,
  }
}

function entryJson(entry: Descriptor): unknown {
  const { mediaType, digest, size, annotations, platform, artifactType } = entry
  return {
    mediaType,
    digest,
    size,
    annotations,
    platform: platform === undefined ? undefined : platformJson(platform),
    artifactType,
  }
}

function manifestText({ reference, descriptor, document }: Inspected): string {
  const name = formatReference(reference)
  let text = columns([
    ['Name:', name],
    ['MediaType:', descriptor.mediaType],
    ['Digest:', descriptor.digest],
  ])
  if (document.kind !== 'index') return text
  const repository = canonicalName(reference) + (reference.tag ? `:${reference.tag}` : '')
  text += `${' '.repeat(11)}\nManifests: \n`
  const width = 13
  text += document.manifests
    .map((entry) => entryText(entry, repository))
    .join(`${' '.repeat(width)}\n`)
  return text
}

function entryText(entry: Descriptor, repository: string): string {
  const rows: [string, string][] = [
    ['  Name:', `${repository}@${entry.digest}`],
    ['  MediaType:', entry.mediaType],
  ]
  const { platform } = entry
  if (platform !== undefined) {
    rows.push(['  Platform:', formatPlatform(platform)])
    if (platform.osVersion) rows.push(['  OSVersion:', platform.osVersion])
    if (platform.osFeatures?.length) rows.push(['  OSFeatures:', platform.osFeatures.join(', ')])
  }
  if (entry.urls?.length) rows.push(['  URLs:', entry.urls.join(', ')])
  const annotations = Object.entries(entry.annotations ?? {})
  if (annotations.length > 0) rows.push(['  Annotations:', ''])
  const text = columns(rows)
  if (annotations.length === 0) return text
  return text + columns(annotations.map(([key, value]) => [`    ${key}:`, value]))
}

/** Two columns, the first as wide as its longest word and one blank. */
function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length)) + 1
  return rows
    .map(([label, value]) => `${escapeTerminal(label).padEnd(width)}${escapeTerminal(value)}\n`)
    .join('')
}
