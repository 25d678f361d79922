import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  type Bytes,
  type Descriptor,
  descriptorJson,
  type Digest,
  KatmanError,
  type Manifest,
  mediaTypes,
  parseDigest,
  parseManifest,
} from '@katman/oci'
import type { CallOptions, OpenOptions, Source } from '@katman/transfer'
import { packFolder } from './pack-folder.ts'
import { contentDigestKey, pathInvalid, pathParts, titleKey, unpackKey } from './title.ts'

/** A file or a folder to pack. */
export interface ArtifactFile {
  /** Relative to `folder`; the clean path is its title. */
  readonly path: string
  /** Default: that of a tar layer; for a folder that of one with gzip. */
  readonly mediaType?: string | undefined
}

type Annotations = Readonly<Record<string, string>>

/** What an artifact shall hold and say. */
export interface ArtifactDraft {
  readonly files: readonly ArtifactFile[]
  /** Default `application/vnd.unknown.artifact.v1`, unless there is a config, which tells the type. */
  readonly artifactType?: string | undefined
  /** Default: the empty one. */
  readonly config?: ArtifactFile | undefined
  /** What it refers to. */
  readonly subject?: Descriptor | undefined
  readonly annotations?: Annotations | undefined
  readonly configAnnotations?: Annotations | undefined
  /** By the path of a file as it was given. */
  readonly fileAnnotations?: ReadonlyMap<string, Annotations> | undefined
}

/** A packed artifact as a place to copy it from. Holds temporary files until it is closed. */
export interface PackedArtifact extends Source, AsyncDisposable {
  readonly root: Descriptor
  readonly manifest: Manifest
}

export interface PackOptions extends CallOptions {
  /** Where the files are. Default: the working directory. */
  readonly folder?: string
}

const emptyType = 'application/vnd.oci.empty.v1+json'
const emptyBytes = Buffer.from('{}')
const unknownType = 'application/vnd.unknown.artifact.v1'
const configType = 'application/vnd.unknown.config.v1+json'
const layerType = 'application/vnd.oci.image.layer.v1.tar'

/**
 * Packs files into an artifact manifest (image-spec manifest.md, "Guidelines for Artifact Usage") with the bytes that
 * oras gives it. Reads each file once now and once when it is copied. Throws `ARTIFACT_PATH_INVALID`,
 * `ARTIFACT_FILE_INVALID`.
 */
export async function packArtifact(
  draft: ArtifactDraft,
  options: PackOptions = {},
): Promise<PackedArtifact> {
  const packer: Packer = {
    folder: options.folder ?? '.',
    temporary: await mkdtemp(path.join(tmpdir(), 'katman-artifact-')),
    contents: new Map(),
    signal: options.signal,
  }
  const close = (): Promise<void> => rm(packer.temporary, { recursive: true, force: true })
  try {
    const root = await packManifest(packer, draft)
    return {
      ...placeOf(packer, root.descriptor),
      ...root,
      root: root.descriptor,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

interface Packer extends CallOptions {
  readonly folder: string
  readonly temporary: string
  /** Where content is: in a file, or here. */
  readonly contents: Map<Digest, string | Uint8Array>
}

async function packManifest(packer: Packer, draft: ArtifactDraft) {
  const layers: Descriptor[] = []
  const titles = new Set<string>()
  for (const file of draft.files) {
    const layer = await packFile(packer, file)
    const title = layer.annotations?.[titleKey] ?? ''
    if (titles.has(title)) throw pathInvalid(file.path, 'it is given twice')
    titles.add(title)
    layers.push(annotated(layer, draft.fileAnnotations?.get(file.path)))
  }
  const empty = hold(packer, emptyType, emptyBytes)
  const isUntyped = draft.config === undefined && draft.artifactType === undefined
  const config = annotated(await packConfig(packer, draft.config, empty), draft.configAnnotations)
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: isUntyped ? unknownType : draft.artifactType,
    config: descriptorJson(config),
    // Registries may refuse a manifest without layers.
    layers: (layers.length === 0 ? [withData(empty)] : layers).map(descriptorJson),
    subject: draft.subject === undefined ? undefined : subjectJson(draft.subject),
    annotations: sorted(draft.annotations),
  }
  const bytes = Buffer.from(goJson(document))
  const descriptor = hold(packer, mediaTypes.ociManifest, bytes)
  const manifest = parseManifest(bytes, descriptor.mediaType)
  if (manifest.kind !== 'manifest') throw new TypeError('a manifest type parses to a manifest')
  return { descriptor, manifest }
}

async function packFile(packer: Packer, given: ArtifactFile): Promise<Descriptor> {
  const title = pathParts(given.path).join('/')
  const file = path.join(packer.folder, title)
  const facts = await factsOf(file)
  if (facts.isDirectory()) {
    const packed = path.join(packer.temporary, `${packer.contents.size}.tar.gz`)
    const { digest, size, contentDigest } = await packFolder(file, title, packed, packer.signal)
    packer.contents.set(digest, packed)
    const annotations = {
      [contentDigestKey]: contentDigest,
      [unpackKey]: 'true',
      [titleKey]: title,
    }
    return { mediaType: given.mediaType || `${layerType}+gzip`, digest, size, annotations }
  }
  return {
    ...(await holdFile(packer, file, given.mediaType || layerType)),
    annotations: { [titleKey]: title },
  }
}

async function packConfig(
  packer: Packer,
  given: ArtifactFile | undefined,
  empty: Descriptor,
): Promise<Descriptor> {
  if (given === undefined) return withData(empty)
  return holdFile(packer, path.resolve(packer.folder, given.path), given.mediaType || configType)
}

async function holdFile(packer: Packer, file: string, mediaType: string): Promise<Descriptor> {
  const hash = createHash('sha256')
  let size = 0
  if (!(await factsOf(file)).isFile()) throw fileInvalid(file, 'it is no regular file')
  for await (const chunk of readFrom(file, 0, packer.signal)) {
    hash.update(chunk)
    size += chunk.byteLength
  }
  const digest = parseDigest(`sha256:${hash.digest('hex')}`)
  packer.contents.set(digest, file)
  return { mediaType, digest, size }
}

function hold({ contents }: Packer, mediaType: string, bytes: Uint8Array): Descriptor {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  contents.set(digest, bytes)
  return { mediaType, digest, size: bytes.byteLength }
}

function placeOf({ contents }: Packer, root: Descriptor): Source {
  const name = 'files'
  const unknown = (what: string): KatmanError =>
    new KatmanError('BLOB_UNKNOWN', `${name}: no content for ${what}`)
  return {
    name,
    async resolve(reference: string) {
      if (reference === root.digest) return root
      throw unknown(reference)
    },
    async open({ digest }: Descriptor, { start = 0, signal }: OpenOptions = {}) {
      const content = contents.get(digest)
      if (content === undefined) throw unknown(digest)
      return typeof content === 'string'
        ? readFrom(content, start, signal)
        : once(content.subarray(start))
    },
  }
}

async function* readFrom(file: string, start: number, signal: AbortSignal | undefined): Bytes {
  const chunks = createReadStream(file, { start, highWaterMark: 1024 * 1024 }) as Bytes
  for await (const chunk of chunks) {
    signal?.throwIfAborted()
    yield chunk
  }
}

async function* once(bytes: Uint8Array): Bytes {
  yield bytes
}

async function factsOf(file: string) {
  try {
    return await stat(file)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw fileInvalid(file, code === 'ENOENT' ? 'no such file or directory' : String(code), cause)
  }
}

function annotated(descriptor: Descriptor, more: Annotations | undefined): Descriptor {
  const annotations = sorted({ ...descriptor.annotations, ...more })
  return annotations === undefined ? descriptor : { ...descriptor, annotations }
}

/** The order in which Go writes a map. */
function sorted(annotations: Annotations | undefined): Annotations | undefined {
  const entries = Object.entries(annotations ?? {})
  if (entries.length === 0) return undefined
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function withData(empty: Descriptor): Descriptor {
  return { ...empty, data: emptyBytes.toString('base64') }
}

function subjectJson({ mediaType, digest, size }: Descriptor): unknown {
  return { mediaType, digest, size }
}

/** JSON with the escapes of Go's encoder. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function fileInvalid(file: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('ARTIFACT_FILE_INVALID', `${file}: ${reason}`, {
    details: { file, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
