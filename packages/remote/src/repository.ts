import { type Bytes, type Descriptor, type Digest, isDigest, isTag, KatmanError } from '@katman/oci'
import type { CallOptions, NamingTarget, ReferrerSource, Source, TagReader } from '@katman/transfer'
import { openContent } from './content-stream.ts'
import { createDocumentCache } from './document-cache.ts'
import { askHosts, type HostChoiceOptions } from './host-choice.ts'
import {
  askBlobSize,
  type DescribeOptions,
  describeManifest,
  type FetchedManifest,
  fetchManifest,
  readRequest,
} from './manifest-fetch.ts'
import { createRepositoryTarget, type TargetOptions } from './repository-target.ts'
import { listReferrers } from './referrers.ts'
import { retrying } from './retry.ts'
import { listTags } from './tag-list.ts'

/** One repository of a registry, as a place to read from and to write to. */
export interface RemoteRepository extends Source, NamingTarget, ReferrerSource, TagReader {
  /**
   * Finds what a tag or digest points to; with `known`, the registry is asked whether that is still it
   * (`If-None-Match`), and is not asked a second time for the reason of a failure.
   */
  resolve(reference: string, options?: DescribeOptions): Promise<Descriptor>
  /**
   * Fetches what a tag or digest points to. The digest is computed from the bytes; a registry that announced
   * another one lies: `DIGEST_MISMATCH`.
   */
  fetchManifest(reference: string, options?: CallOptions): Promise<FetchedManifest>
  /** The size of a blob in bytes, by `HEAD`. Throws `BLOB_UNKNOWN`, `RESPONSE_INVALID`. */
  blobSize(digest: Digest, options?: CallOptions): Promise<number>
  /**
   * Takes a tag away, not what it stands for. False when there was none. Throws `REGISTRY_ERROR` where the registry cannot.
   */
  untag(tag: string, options?: CallOptions): Promise<boolean>
  /** All tags, in the registry's order. Throws `NAME_UNKNOWN`. */
  tags(options?: CallOptions): AsyncIterable<string>
  /** Checks that the registry answers; says nothing about permissions. */
  ping(options?: CallOptions): Promise<void>
}

export interface RepositoryOptions extends HostChoiceOptions, TargetOptions {
  readonly registry: string
  readonly repository: string
}

const tagsPerPage = 1000

/** Opens a repository. Nothing is sent before the first call. */
export function createRepository(options: RepositoryOptions): RemoteRepository {
  const { clock, onEvent, origin, patience } = options
  const name = `registry ${options.registry}/${options.repository}`
  const documents = createDocumentCache()
  const nextHosts = new Map<Digest, number>()
  const hostCount = options.mirrors.length + 1
  const target = createRepositoryTarget(name, options, documents)

  const askFor = (reference: string, { signal }: CallOptions) => {
    checkReference(reference)
    const capability = isDigest(reference) ? 'pull' : 'resolve'
    return { capability, what: `manifest ${reference}`, signal } as const
  }
  const kept = (fetched: FetchedManifest): FetchedManifest => {
    documents.set(fetched.descriptor.digest, fetched.bytes)
    return fetched
  }

  return {
    ...target,
    async resolve(reference, call = {}) {
      const found = await askHosts(options, askFor(reference, call), (host) =>
        describeManifest(host, reference, name, call),
      )
      return 'bytes' in found ? kept(found).descriptor : found
    },
    async fetchManifest(reference, call = {}) {
      return kept(
        await askHosts(options, askFor(reference, call), (host) =>
          fetchManifest(host, reference, name, call),
        ),
      )
    },
    blobSize(digest, call = {}) {
      const what = `blob ${digest}`
      return askHosts(options, { capability: 'pull', what, ...call }, (host) =>
        askBlobSize(host, digest, call),
      )
    },
    async open(descriptor, { start = 0, signal } = {}) {
      const known = documents.get(descriptor.digest)
      if (known?.byteLength === descriptor.size) return once(known.subarray(start))
      if (start > 0 && start >= descriptor.size) return once(new Uint8Array())
      // Opened again from the start, the first bytes were probably bad: begin with the host after theirs.
      const firstHost = start === 0 ? (nextHosts.get(descriptor.digest) ?? 0) : 0
      return openContent(options, descriptor, {
        start,
        firstHost,
        name,
        signal,
        onHost: (position) => {
          if (hostCount > 1) nextHosts.set(descriptor.digest, (position + 1) % hostCount)
        },
      })
    },
    async untag(tagName, { signal } = {}) {
      checkReference(tagName)
      const { candidate, session } = origin
      const { response } = await session.expect(
        {
          method: 'DELETE',
          target: `${candidate.repository}/manifests/${tagName}`,
          subject: 'manifest',
          repository: candidate.repository,
          scopes: [`repository:${candidate.repository}:delete,pull`],
          signal,
        },
        [200, 202, 404],
      )
      response.discard()
      return response.status !== 404
    },
    async tag(tagName, descriptor, call) {
      checkReference(tagName)
      await target.tag(tagName, descriptor, call)
    },
    tags({ signal } = {}) {
      const { repository } = origin.candidate
      const request = { ...readRequest(origin, ''), method: 'GET', subject: 'tags' } as const
      return listTags(
        (page) =>
          retrying({ ...patience, clock, what: 'tag list', signal, onEvent }, () =>
            origin.session.expect({ ...request, target: page, signal }, [200]),
          ),
        `${repository}/tags/list?n=${tagsPerPage}`,
      )
    },
    referrers: (subject, call = {}) => listReferrers(options, subject.digest, name, call),
    async ping({ signal } = {}) {
      await retrying({ ...patience, clock, what: 'registry', signal, onEvent }, () =>
        origin.session.connect(signal),
      )
    },
  }
}

async function* once(bytes: Uint8Array): Bytes {
  if (bytes.byteLength > 0) yield bytes
}

/** What goes into a URL path is a tag or a digest and nothing else. */
function checkReference(reference: string): void {
  if (isDigest(reference) || isTag(reference)) return
  const shown = JSON.stringify(reference.slice(0, 200))
  throw new KatmanError('REFERENCE_INVALID', `neither a tag nor a digest: ${shown}`, {
    hint: 'a tag has up to 128 letters, digits, dots, dashes and underscores',
    details: { reference: reference.slice(0, 200) },
  })
}
