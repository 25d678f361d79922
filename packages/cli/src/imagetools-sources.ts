import {
  canonicalName,
  type Descriptor,
  type Index,
  isDigest,
  type Manifest,
  mediaTypes,
  parseManifest,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { Remote, RemoteRepository } from '@katman/remote'
import type { CallOptions } from '@katman/transfer'
import { CommandFailure, plainFailure } from './failure.ts'

/** Something to make an index of: where it is, what is said of it, and its document. */
export interface IndexSource {
  readonly repository: RemoteRepository
  readonly reference: Reference
  /** With the annotations and the platform that a descriptor in JSON gives. */
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  readonly document: Manifest | Index
}

/** A source as it was typed, or as a file holds it. */
type SourceText =
  | { readonly kind: 'reference'; readonly reference: Reference }
  | { readonly kind: 'digest'; readonly digest: string; readonly said: Readonly<object> }

/**
 * Reads sources: names, digests, and descriptors in JSON. Those without a name are looked for in the one repository
 * that the names and the tags speak of. Fails with buildx's words.
 */
export function parseSources(
  texts: readonly string[],
  tags: readonly Reference[],
): readonly { readonly reference: Reference; readonly said: Readonly<object> }[] {
  const parsed = texts.map(parseSource)
  const named = parsed.flatMap((one) => (one.kind === 'reference' ? [one.reference] : []))
  const repositories = new Set([...tags, ...named].map(canonicalName))
  if (repositories.size === 0) {
    throw new CommandFailure('no repositories specified, please set a reference in tag or source')
  }
  const home = repositories.size === 1 ? (named[0] ?? tags[0]) : undefined
  return parsed.map((one, position) => {
    if (one.kind === 'reference') return { reference: one.reference, said: {} }
    if (home === undefined) {
      throw new CommandFailure(
        `multiple repositories specified, cannot infer repository for ${JSON.stringify(texts[position])}`,
      )
    }
    const { digest } = parseReference(`x/y@${one.digest}`)
    const { registry, repository } = home
    return {
      reference: { registry, repository, ...(digest === undefined ? {} : { digest }) },
      said: one.said,
    }
  })
}

/** Fetches the documents of sources. */
export async function fetchSources(
  remote: Remote,
  sources: ReturnType<typeof parseSources>,
  call: CallOptions,
): Promise<readonly IndexSource[]> {
  return Promise.all(
    sources.map(async ({ reference, said }) => {
      const repository = remote.repository(reference)
      const wanted = reference.digest ?? reference.tag ?? ''
      const { descriptor, bytes } = await repository.fetchManifest(wanted, call)
      const document = parseManifest(bytes, descriptor.mediaType)
      return { repository, reference, descriptor: completed(descriptor, said), bytes, document }
    }),
  )
}

function parseSource(text: string): SourceText {
  try {
    if (isDigest(text)) return { kind: 'digest', digest: text, said: {} }
    if (text.startsWith('{')) return parseDescriptor(text)
    return { kind: 'reference', reference: withDefaultTag(parseReference(text)) }
  } catch (error) {
    throw new CommandFailure(
      `failed to parse source ${JSON.stringify(text)}, valid sources are digests, references and descriptors: ${plainFailure(error).message}`,
      { cause: error },
    )
  }
}

function parseDescriptor(text: string): SourceText {
  const said = JSON.parse(text) as Readonly<Record<string, unknown>>
  const { digest, schemaVersion } = said
  if (schemaVersion !== undefined && schemaVersion !== 0) {
    throw new CommandFailure(
      `expected an OCI content descriptor, got a manifest or index (schemaVersion ${JSON.stringify(schemaVersion)})`,
    )
  }
  if (typeof digest !== 'string' || digest === '') {
    throw new CommandFailure('invalid descriptor: digest is required')
  }
  if (!isDigest(digest)) throw new CommandFailure('invalid descriptor digest')
  return { kind: 'digest', digest, said }
}

/** What the registry says, and above it what a descriptor in JSON says; read as an entry of an index is. */
function completed(descriptor: Descriptor, said: Readonly<object>): Descriptor {
  const { mediaType, digest, size } = descriptor
  const manifests = [{ mediaType, digest, size, ...said }]
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }))
  const index = parseManifest(bytes, mediaTypes.ociIndex)
  const [entry] = index.kind === 'index' ? index.manifests : []
  if (entry === undefined) return descriptor
  if (entry.size !== size) {
    throw new CommandFailure(`invalid size mismatch for ${digest}, ${entry.size} != ${size}`)
  }
  return entry
}
