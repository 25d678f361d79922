import {
  acceptedManifestTypes,
  type Bytes,
  type Descriptor,
  type Digest,
  isDigest,
  isKatmanError,
  KatmanError,
  maxDocumentBytes,
  parseDigest,
} from '@katman/oci'
import type {
  CallOptions,
  ContentOptions,
  NamingTarget,
  Opener,
  OpenOptions,
  Source,
  WriteOptions,
} from '@katman/transfer'
import { digestMismatch, verified } from '@katman/transfer'
import { createHash } from 'node:crypto'
import type { Clock } from './clock.ts'
import { readLimited } from './http.ts'
import { responseInvalid } from './network-error.ts'
import { documentType, headerType, isDocumentType } from './manifest-type.ts'
import type { Candidate } from './mirrors.ts'
import { type RangeAnswer, rangeStream } from './range-stream.ts'
import type { FinalResponse } from './redirect.ts'
import { createRetry, type RetryEvent, retrying } from './retry.ts'
import type { RegistryRequest, Session } from './session.ts'
import { listTags } from './tag-list.ts'
import { pushScopes, uploadBlob } from './upload.ts'

/** A manifest with its bytes as the registry has them. */
export interface FetchedManifest {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

/** One repository of a registry, as a place to read from and to write to. */
export interface RemoteRepository extends Source, NamingTarget {
  /**
   * Fetches what a tag or digest points to. The digest is computed from the bytes; a registry that announced
   * another one lies: `DIGEST_MISMATCH`.
   */
  fetchManifest(reference: string, options?: CallOptions): Promise<FetchedManifest>
  /** All tags, in the registry's order. Throws `NAME_UNKNOWN`. */
  tags(options?: CallOptions): AsyncIterable<string>
  /** Checks that the registry can be reached and lets us in for reading. */
  ping(options?: CallOptions): Promise<void>
}

/** A host to ask with its conversation. */
export interface RepositoryHost {
  readonly candidate: Candidate
  readonly session: Session
}

export interface RepositoryOptions {
  readonly registry: string
  readonly repository: string
  /** Mirrors first, the registry itself last. */
  readonly hosts: readonly RepositoryHost[]
  readonly clock: Clock
  readonly onEvent: ((event: RetryEvent) => void) | undefined
}

const rememberedDocuments = 64
const manifestAccept = [...acceptedManifestTypes, '*/*;q=0.1'].join(', ')

/** Opens a repository. Nothing is sent before the first call. */
export function createRepository(options: RepositoryOptions): RemoteRepository {
  const { clock } = options
  const name = `registry ${options.registry}/${options.repository}`
  const documents = new Map<Digest, Uint8Array>()
  const delivered = new Map<Digest, number>()
  const origin = options.hosts.at(-1)
  if (origin === undefined) throw new TypeError('a repository needs a host')

  /** Asks the hosts in order; a mirror gets one try, the registry itself all of them. */
  async function fromHosts<T>(
    capability: 'pull' | 'resolve',
    what: string,
    call: CallOptions,
    job: (host: RepositoryHost) => Promise<T>,
    skip = 0,
  ): Promise<T> {
    const able = options.hosts.filter(
      ({ candidate, session }) =>
        candidate.capabilities[capability] && (!candidate.isMirror || session.usable()),
    )
    const order =
      able.length === 0
        ? [origin as RepositoryHost]
        : able.map((_, index) => able[(index + skip) % able.length] as RepositoryHost)
    for (const host of order.slice(0, -1)) {
      try {
        return await job(host)
      } catch (error) {
        call.signal?.throwIfAborted()
        if (!isKatmanError(error)) throw error
      }
    }
    const last = order.at(-1) as RepositoryHost
    return retrying({ clock, what, signal: call.signal, onEvent: options.onEvent }, () => job(last))
  }

  function readRequest(
    host: RepositoryHost,
    path: string,
  ): Omit<RegistryRequest, 'method' | 'subject'> {
    const { repository, namespace } = host.candidate
    return {
      target: `${repository}/${path}${namespace === undefined ? '' : `?ns=${encodeURIComponent(namespace)}`}`,
      repository,
      scopes: [`repository:${repository}:pull`],
    }
  }

  async function resolve(reference: string, call: CallOptions = {}): Promise<Descriptor> {
    checkReference(reference)
    return fromHosts(
      isDigest(reference) ? 'pull' : 'resolve',
      `manifest ${reference}`,
      call,
      async (host) => {
        const request = readRequest(host, `manifests/${reference}`)
        const { response, url } = await host.session.exchange({
          ...request,
          method: 'HEAD',
          subject: 'manifest',
          headers: { accept: manifestAccept },
          signal: call.signal,
        })
        response.discard()
        if (response.status === 429 || response.status >= 500) {
          await host.session.expect(
            {
              ...request,
              method: 'HEAD',
              subject: 'manifest',
              headers: { accept: manifestAccept },
              signal: call.signal,
            },
            [200],
          )
        }
        const described =
          response.status === 200 ? describeHead(response.headers, reference) : undefined
        if (described !== undefined) return described
        void url
        return (await fetchFrom(host, reference, call)).descriptor
      },
    )
  }

  async function fetchFrom(
    host: RepositoryHost,
    reference: string,
    call: CallOptions,
  ): Promise<FetchedManifest> {
    const { response, url } = await host.session.expect(
      {
        ...readRequest(host, `manifests/${reference}`),
        method: 'GET',
        subject: 'manifest',
        headers: { accept: manifestAccept },
        signal: call.signal,
      },
      [200],
    )
    const exchange = { method: 'GET', url }
    const bytes = await readLimited(response, maxDocumentBytes)
    if (bytes === undefined) {
      throw new KatmanError(
        'DOCUMENT_TOO_LARGE',
        `${name}: manifest ${reference} is larger than ${maxDocumentBytes} bytes`,
        {
          details: { reference, limit: maxDocumentBytes },
        },
      )
    }
    const announced = response.headers.get('docker-content-digest')
    const digest = isDigest(reference) ? reference : (announcedDigest(announced) ?? sha256(bytes))
    const mediaType = headerType(response.headers.get('content-type')) ?? documentType(bytes)
    if (mediaType === undefined)
      throw responseInvalid(exchange, `manifest ${reference} has no media type`)
    const descriptor: Descriptor = { mediaType, digest, size: bytes.byteLength }
    checkBytes(bytes, descriptor, name)
    remember(digest, bytes)
    return { descriptor, bytes }
  }

  function remember(digest: Digest, bytes: Uint8Array): void {
    documents.delete(digest)
    documents.set(digest, bytes)
    const [oldest] = documents.keys()
    if (documents.size > rememberedDocuments && oldest !== undefined) documents.delete(oldest)
  }

  async function open(descriptor: Descriptor, openOptions: OpenOptions = {}): Promise<Bytes> {
    const { start = 0, signal } = openOptions
    const known = documents.get(descriptor.digest)
    if (known !== undefined && known.byteLength === descriptor.size)
      return once(known.subarray(start))
    if (start > 0 && start >= descriptor.size) return once(new Uint8Array())
    const isManifest = isDocumentType(descriptor.mediaType)
    const what = `${isManifest ? 'manifest' : 'blob'} ${descriptor.digest}`
    // Asked a second time for all of it, the first bytes were probably bad: begin with the next host.
    const skip = start === 0 ? (delivered.get(descriptor.digest) ?? 0) : 0
    if (start === 0 && options.hosts.length > 1) delivered.set(descriptor.digest, skip + 1)

    const ask =
      (from: number, etag: string | undefined) =>
      async (host: RepositoryHost): Promise<RangeAnswer> => {
        const { response, url } = await host.session.expect(
          {
            ...readRequest(host, `${isManifest ? 'manifests' : 'blobs'}/${descriptor.digest}`),
            method: 'GET',
            subject: isManifest ? 'manifest' : 'blob',
            headers: {
              ...(isManifest ? { accept: manifestAccept } : {}),
              ...(from === 0 ? {} : { range: `bytes=${from}-` }),
              ...(from === 0 || etag === undefined ? {} : { 'if-range': etag }),
            },
            signal,
          },
          from === 0 ? [200] : [200, 206],
        )
        return { response, exchange: { method: 'GET', url } }
      }
    const first = await fromHosts('pull', what, openOptions, ask(start, undefined), skip)
    return rangeStream({
      descriptor,
      start,
      name,
      first,
      retry: createRetry({ clock, what, signal, onEvent: options.onEvent }),
      reopen: (from, etag) => fromHosts('pull', what, openOptions, ask(from, etag), skip),
    })
  }

  async function has(descriptor: Descriptor, call: ContentOptions = {}): Promise<boolean> {
    const { session, candidate } = origin as RepositoryHost
    const isManifest = isDocumentType(descriptor.mediaType)
    return retrying(
      {
        clock,
        what: `${isManifest ? 'manifest' : 'blob'} ${descriptor.digest}`,
        signal: call.signal,
        onEvent: options.onEvent,
      },
      async () => {
        const { response } = await session.expect(
          {
            method: 'HEAD',
            target: `${candidate.repository}/${isManifest ? 'manifests' : 'blobs'}/${descriptor.digest}`,
            subject: isManifest ? 'manifest' : 'blob',
            repository: candidate.repository,
            scopes: pushScopes(candidate.repository),
            headers: isManifest ? { accept: manifestAccept } : {},
            signal: call.signal,
          },
          [200, 404],
        )
        response.discard()
        const length = response.headers.get('content-length')
        return (
          response.status === 200 && (length === undefined || Number(length) === descriptor.size)
        )
      },
    )
  }

  async function write(
    descriptor: Descriptor,
    opener: Opener,
    writeOptions: WriteOptions = {},
  ): Promise<void> {
    const what = `upload of ${descriptor.digest}`
    const { session, candidate } = origin as RepositoryHost
    const retryOptions = { clock, what, signal: writeOptions.signal, onEvent: options.onEvent }
    if (!isDocumentType(descriptor.mediaType)) {
      await retrying(retryOptions, () =>
        uploadBlob({
          session,
          repository: candidate.repository,
          descriptor,
          open: opener,
          name,
          write: writeOptions,
        }),
      )
      return
    }
    const chunks: Uint8Array[] = []
    for await (const chunk of verified(await opener(0), descriptor, name)) chunks.push(chunk)
    const bytes = Buffer.concat(chunks)
    writeOptions.onProgress?.({ state: 'receiving', bytes: bytes.byteLength })
    await putManifest(descriptor.digest, descriptor, bytes, writeOptions)
    remember(descriptor.digest, bytes)
    writeOptions.onProgress?.({ state: 'received' })
  }

  async function tag(
    tagName: string,
    descriptor: Descriptor,
    call: CallOptions = {},
  ): Promise<void> {
    checkReference(tagName)
    const bytes =
      documents.get(descriptor.digest) ??
      (await fetchFrom(origin as RepositoryHost, descriptor.digest, call)).bytes
    await putManifest(tagName, descriptor, bytes, call)
  }

  async function putManifest(
    reference: string,
    descriptor: Descriptor,
    bytes: Uint8Array,
    call: CallOptions,
  ): Promise<void> {
    const { session, candidate } = origin as RepositoryHost
    await retrying(
      { clock, what: `manifest ${reference}`, signal: call.signal, onEvent: options.onEvent },
      async () => {
        const final: FinalResponse = await session.expect(
          {
            method: 'PUT',
            target: `${candidate.repository}/manifests/${reference}`,
            subject: 'upload',
            repository: candidate.repository,
            scopes: pushScopes(candidate.repository),
            headers: { 'content-type': descriptor.mediaType },
            body: bytes,
            signal: call.signal,
          },
          [201, 200, 202],
        )
        final.response.discard()
        const stored = final.response.headers.get('docker-content-digest')
        if (
          stored !== undefined &&
          stored !== descriptor.digest &&
          isDigest(stored) &&
          stored.startsWith(descriptor.digest.slice(0, 7))
        ) {
          throw responseInvalid(
            { method: 'PUT', url: final.url },
            `the registry stored ${descriptor.digest} as ${stored}`,
          )
        }
      },
    )
  }

  return {
    name,
    resolve,
    open,
    has,
    write,
    tag,
    fetchManifest(reference, call = {}) {
      checkReference(reference)
      return fromHosts(
        isDigest(reference) ? 'pull' : 'resolve',
        `manifest ${reference}`,
        call,
        (host) => fetchFrom(host, reference, call),
      )
    },
    tags(call = {}) {
      const host = origin
      return listTags(
        (target) =>
          retrying({ clock, what: 'tag list', signal: call.signal, onEvent: options.onEvent }, () =>
            host.session.expect(
              {
                ...readRequest(host, ''),
                method: 'GET',
                subject: 'tags',
                target,
                signal: call.signal,
              },
              [200],
            ),
          ),
        `${host.candidate.repository}/tags/list?n=1000`,
      )
    },
    async ping(call = {}) {
      await retrying(
        { clock, what: 'registry', signal: call.signal, onEvent: options.onEvent },
        () => origin.session.connect(call.signal),
      )
    },
  }
}

async function* once(bytes: Uint8Array): Bytes {
  if (bytes.byteLength > 0) yield bytes
}

/** What goes into a URL path is a tag or a digest and nothing else. */
function checkReference(reference: string): void {
  if (isDigest(reference) || /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(reference)) return
  throw new KatmanError(
    'REFERENCE_INVALID',
    `neither a tag nor a digest: ${JSON.stringify(reference.slice(0, 200))}`,
    {
      details: { reference: reference.slice(0, 200) },
    },
  )
}

function describeHead(
  headers: ReadonlyMap<string, string>,
  reference: string,
): Descriptor | undefined {
  const digest = announcedDigest(headers.get('docker-content-digest'))
  const mediaType = headerType(headers.get('content-type'))
  const length = headers.get('content-length') ?? ''
  if (digest === undefined || mediaType === undefined || !/^[1-9][0-9]{0,15}$/.test(length))
    return undefined
  const wanted = isDigest(reference) ? parseDigest(reference) : digest
  // By digest the name itself says what comes; a registry that announces another one is asked for the bytes.
  return wanted === digest ? { mediaType, digest, size: Number(length) } : undefined
}

function announcedDigest(text: string | undefined): Digest | undefined {
  return text !== undefined && isDigest(text) ? text : undefined
}

function sha256(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

function checkBytes(bytes: Uint8Array, descriptor: Descriptor, from: string): void {
  const [algorithm = 'sha256', hex] = descriptor.digest.split(':')
  const actual = createHash(algorithm).update(bytes).digest('hex')
  if (actual !== hex) throw digestMismatch(descriptor, actual, from)
}
