import { type Descriptor, type Digest, isDigest, isKatmanError } from '@katman/oci'
import {
  type CallOptions,
  type NamingTarget,
  type Opener,
  referrerFactOf,
  type TagReader,
  verified,
  type WriteOptions,
} from '@katman/transfer'
import type { DocumentCache } from './document-cache.ts'
import type { HostChoiceOptions } from './host-choice.ts'
import { fetchManifest, manifestAccept } from './manifest-fetch.ts'
import { isDocumentType } from './manifest-type.ts'
import { responseInvalid } from './network-error.ts'
import { createReferrersIndex } from './referrers-index.ts'
import { retrying } from './retry.ts'
import { largeBlobBytes, uploadBlob } from './upload.ts'
import type { UploadEntry, UploadLedger } from './upload-ledger.ts'
import { pushScopes } from './upload-session.ts'

export interface TargetOptions {
  /** Other repositories of this registry that may have a blob. */
  readonly mountSources?: ((digest: Digest) => readonly string[]) | undefined
  /** Where unfinished uploads of large blobs are remembered. Default: nowhere. */
  readonly uploadLedger?: UploadLedger | undefined
}

/** The writing half of a repository: always the registry itself, never a mirror. */
export function createRepositoryTarget(
  name: string,
  hosts: HostChoiceOptions & TargetOptions,
  documents: DocumentCache,
): NamingTarget & TagReader {
  const { clock, onEvent, origin, mountSources, uploadLedger } = hosts
  const { session } = origin
  const { repository } = origin.candidate
  const shared = { repository, scopes: pushScopes(repository) }
  const referrersIndex = createReferrersIndex(hosts, name, putManifest)

  async function putDocument(
    reference: string,
    descriptor: Descriptor,
    bytes: Uint8Array,
    call: CallOptions,
  ): Promise<void> {
    const { knowsSubject } = await putManifest(reference, descriptor, bytes, call)
    if (knowsSubject) return
    const fact = referrerFactOf(descriptor, bytes)
    if (fact !== undefined) await referrersIndex.add(fact, call)
  }

  async function putManifest(
    reference: string,
    descriptor: Descriptor,
    bytes: Uint8Array,
    { signal }: CallOptions,
  ): Promise<{ readonly knowsSubject: boolean }> {
    return retrying({ clock, what: `manifest ${reference}`, signal, onEvent }, async () => {
      const { response, url } = await session.expect(
        {
          ...shared,
          method: 'PUT',
          target: `${repository}/manifests/${reference}`,
          subject: 'upload',
          headers: { 'content-type': descriptor.mediaType },
          body: bytes,
          signal,
        },
        [200, 201, 202],
      )
      response.discard()
      const stored = response.headers.get('docker-content-digest')
      // A registry may name it by another algorithm, but not as other content.
      const [algorithm] = descriptor.digest.split(':')
      if (stored?.startsWith(`${algorithm}:`) && isDigest(stored) && stored !== descriptor.digest) {
        throw responseInvalid(
          { method: 'PUT', url },
          `${descriptor.digest} was stored as ${stored}`,
        )
      }
      return { knowsSubject: response.headers.has('oci-subject') }
    })
  }

  async function writeBlob(
    descriptor: Descriptor,
    open: Opener,
    write: WriteOptions,
    entry: UploadEntry | undefined,
  ): Promise<void> {
    const isThere = (): Promise<boolean> => has(descriptor, { signal: write.signal })
    const shown = { session, repository, descriptor, open, name, write, clock, onEvent }
    const mountFrom = mountSources?.(descriptor.digest).find((other) => other !== repository)
    try {
      await uploadBlob({ ...shown, mountFrom, entry, isThere })
    } catch (error) {
      // Who may write here need not be allowed to read there.
      const isRefused = isKatmanError(error, 'DENIED') || isKatmanError(error, 'UNAUTHORIZED')
      if (mountFrom === undefined || !isRefused) throw error
      await uploadBlob({ ...shown, entry, isThere })
    }
  }

  async function has(descriptor: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    const isManifest = isDocumentType(descriptor.mediaType)
    const kind = isManifest ? 'manifest' : 'blob'
    return retrying({ clock, what: `${kind} ${descriptor.digest}`, signal, onEvent }, async () => {
      const { response } = await session.expect(
        {
          ...shared,
          method: 'HEAD',
          target: `${repository}/${kind}s/${descriptor.digest}`,
          subject: kind,
          headers: isManifest ? { accept: manifestAccept } : {},
          signal,
        },
        [200, 404],
      )
      response.discard()
      const length = response.headers.get('content-length')
      return response.status === 200 && (length === undefined || Number(length) === descriptor.size)
    })
  }

  /** Asks the registry itself; a mirror may be behind. Who may write need not be allowed to read. */
  async function readTag(
    tagName: string,
    { signal }: CallOptions = {},
  ): Promise<Digest | undefined> {
    const asked = retrying({ clock, what: `manifest ${tagName}`, signal, onEvent }, async () => {
      const { response } = await session.expect(
        {
          ...shared,
          method: 'HEAD',
          target: `${repository}/manifests/${tagName}`,
          subject: 'manifest',
          headers: { accept: manifestAccept },
          signal,
        },
        [200, 404],
      )
      response.discard()
      const digest = response.headers.get('docker-content-digest')
      return response.status === 200 && digest !== undefined && isDigest(digest)
        ? digest
        : undefined
    })
    return asked.catch((error: unknown) => {
      if (isKatmanError(error, 'DENIED') || isKatmanError(error, 'UNAUTHORIZED')) return undefined
      throw error
    })
  }

  async function read(descriptor: Descriptor, open: Opener): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    for await (const chunk of verified(await open(0), descriptor, name)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  return {
    name,
    has,
    readTag,
    async write(descriptor, open, options = {}) {
      if (!isDocumentType(descriptor.mediaType)) {
        const { digest, size } = descriptor
        const upload = { registry: origin.candidate.host.host, repository, digest }
        const entry = size < largeBlobBytes ? undefined : await uploadLedger?.take(upload)
        try {
          await writeBlob(descriptor, open, options, entry)
        } catch (error) {
          // Why the upload failed is the news, whatever becomes of the entry.
          await entry?.release({ keep: true }).catch(() => {})
          throw error
        }
        await entry?.release({ keep: false })
        return
      }
      const bytes = await read(descriptor, open)
      options.onProgress?.({ state: 'receiving', bytes: bytes.byteLength })
      await putDocument(descriptor.digest, descriptor, bytes, options)
      documents.set(descriptor.digest, bytes)
      options.onProgress?.({ state: 'received' })
    },
    async tag(tagName, descriptor, call = {}) {
      const known = documents.get(descriptor.digest)
      const bytes = known ?? (await fetchManifest(origin, descriptor.digest, name, call)).bytes
      await putDocument(tagName, descriptor, bytes, call)
    },
  }
}
