import {
  defaultTag,
  type Descriptor,
  familiarReference,
  type Index,
  isDigest,
  isKatmanError,
  isManifestType,
  type Manifest,
  mediaTypes,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Platform,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { RemoteRepository } from '@katman/remote'
import { readVerified } from '@katman/transfer'
import type { Context } from '../context.ts'
import { CommandFailure, dockerText, plainFailure } from '../failure.ts'
import { goJson } from '../terminal/go-json.ts'

export interface ManifestInspectFlags {
  readonly verbose: boolean
  readonly insecure: boolean
}

/** `manifest inspect [MANIFEST_LIST] MANIFEST`: straight from the registry. */
export async function run(
  context: Context,
  flags: ManifestInspectFlags,
  args: readonly string[],
): Promise<void> {
  const reference = wantedReference(args)
  await using remote = await context.openRemote({
    insecure: flags.insecure ? [reference.registry] : [],
  })
  const repository = remote.repository(reference)
  const call = { signal: context.signal }
  const wanted = reference.digest ?? reference.tag ?? defaultTag
  const fetched = await repository.fetchManifest(wanted, call).catch((error: unknown) => {
    throw manifestFailure(error, familiarReference(reference))
  })
  const root = { ...fetched, document: parseManifest(fetched.bytes, fetched.descriptor.mediaType) }
  if (!flags.verbose) {
    const indent = root.document.kind === 'index' ? '   ' : '\t'
    context.stdout.write(`${goJson(documentJson(root.document), indent)}\n`)
    return
  }
  const name = familiarReference(reference)
  if (root.document.kind === 'manifest') {
    const platform = await configPlatform(repository, root.document, context)
    const entry = verboseEntry(name, { ...root.descriptor, platform }, root.bytes, root.document)
    context.stdout.write(`${goJson(entry, '\t')}\n`)
    return
  }
  const entries: unknown[] = []
  for (const child of root.document.manifests) {
    if (!isManifestType(child.mediaType)) continue
    const bytes = await readVerified(repository, child, call)
    const document = parseManifest(bytes, child.mediaType)
    if (document.kind !== 'manifest') continue
    entries.push(verboseEntry(`${name}@${child.digest}`, child, bytes, document))
  }
  context.stdout.write(`${goJson(entries, '\t')}\n`)
}

/** With two names, the first is the list and the second the entry wanted, by digest or by tag. */
function wantedReference(args: readonly string[]): Reference {
  try {
    const [first = '', second] = args
    if (second === undefined) return withDefaultTag(parseReference(first))
    const { registry, repository } = parseReference(first)
    if (isDigest(second)) return { registry, repository, digest: second }
    return withDefaultTag(parseReference(second))
  } catch (error) {
    throw plainFailure(error)
  }
}

async function configPlatform(
  repository: RemoteRepository,
  manifest: Manifest,
  context: Context,
): Promise<Platform> {
  const bytes = await readVerified(repository, manifest.config, { signal: context.signal })
  return parseImageConfig(bytes).platform
}

function documentJson(document: Manifest | Index): unknown {
  const head = { schemaVersion: 2, mediaType: document.mediaType }
  if (document.kind === 'index') {
    const manifests = document.manifests.map(({ mediaType, size, digest, platform }) => ({
      mediaType,
      size,
      digest,
      platform: platformJson(platform ?? { os: '', architecture: '' }),
    }))
    return { ...head, manifests }
  }
  return {
    ...head,
    config: descriptorJson(document.config),
    layers: document.layers.map(descriptorJson),
    annotations: document.annotations,
  }
}

function verboseEntry(
  name: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
  document: Manifest,
): unknown {
  const isDocker = document.mediaType === mediaTypes.dockerManifest
  return {
    Ref: name,
    Descriptor: descriptorJson(descriptor),
    Raw: Buffer.from(bytes).toString('base64'),
    [isDocker ? 'SchemaV2Manifest' : 'OCIManifest']: documentJson(document),
  }
}

function descriptorJson(descriptor: Descriptor): unknown {
  const { mediaType, digest, size, urls, annotations, platform } = descriptor
  return {
    mediaType,
    digest,
    size,
    urls,
    annotations,
    platform: platform === undefined ? undefined : platformJson(platform),
  }
}

function platformJson({ architecture, os, osVersion, osFeatures, variant }: Platform): unknown {
  return { architecture, os, 'os.version': osVersion, 'os.features': osFeatures, variant }
}

function manifestFailure(error: unknown, name: string): CommandFailure {
  if (isKatmanError(error, 'MANIFEST_UNKNOWN') || isKatmanError(error, 'NAME_UNKNOWN')) {
    return new CommandFailure(`no such manifest: ${name}`, { cause: error })
  }
  const isUnreachable = ['CONNECTION_REFUSED', 'HOST_NOT_FOUND', 'TLS_ERROR', 'TIMEOUT'].some(
    (code) => isKatmanError(error, code),
  )
  if (!isUnreachable) return plainFailure(error)
  return new CommandFailure(
    `failed to configure transport: error pinging v2 registry: ${dockerText(error)}`,
    { cause: error },
  )
}
