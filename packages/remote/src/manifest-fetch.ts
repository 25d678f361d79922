import {
  acceptedManifestTypes,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  isDigest,
  KatmanError,
  maxDocumentBytes,
  parseDigest,
} from '@katman/oci'
import { type CallOptions, digestMismatch } from '@katman/transfer'
import { createHash } from 'node:crypto'
import { readLimited } from './http.ts'
import type { RepositoryHost } from './host-choice.ts'
import { documentType, headerType } from './manifest-type.ts'
import { responseInvalid } from './network-error.ts'
import type { RegistryRequest } from './session.ts'

/** A manifest with its bytes as the registry has them. */
export interface FetchedManifest {
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
}

export interface DescribeOptions extends CallOptions {
  readonly known?: Descriptor | undefined
}

/** What we say we understand; the rest is refused by its type, not by the registry's guess. */
export const manifestAccept = [...acceptedManifestTypes, '*/*;q=0.1'].join(', ')

/**
 * Asks one host what a tag or digest points to: by `HEAD`, and by `GET` when that does not tell, or to learn the
 * reason of a failure, which `HEAD` has no body for.
 */
export async function describeManifest(
  host: RepositoryHost,
  reference: string,
  name: string,
  call: DescribeOptions,
): Promise<Descriptor | FetchedManifest> {
  const { known } = call
  const request = {
    ...readRequest(host, `manifests/${reference}`),
    method: 'HEAD',
    subject: 'manifest',
    headers: {
      accept: manifestAccept,
      ...(known === undefined ? {} : { 'if-none-match': `"${known.digest}"` }),
    },
    signal: call.signal,
  } as const
  const { response } =
    known === undefined
      ? await host.session.exchange(request)
      : await host.session.expect(request, [200, 304])
  if (known !== undefined && response.status === 304) {
    response.discard()
    return known
  }
  response.discard()
  const described = response.status === 200 ? describeHead(response.headers, reference) : undefined
  return described ?? fetchManifest(host, reference, name, call)
}

/** Fetches a manifest from one host. The digest is computed, and compared with what was asked for or announced. */
export async function fetchManifest(
  host: RepositoryHost,
  reference: string,
  name: string,
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
  const bytes = await readLimited(response, maxDocumentBytes)
  if (bytes === undefined) {
    throw new KatmanError(
      'DOCUMENT_TOO_LARGE',
      `${name}: manifest ${reference} is larger than ${maxDocumentBytes} bytes`,
      { details: { reference, limit: maxDocumentBytes } },
    )
  }
  const announced = announcedDigest(response.headers)
  const digest = isDigest(reference) ? reference : (announced ?? hashed(bytes, 'sha256'))
  const computed = hashed(bytes, digestAlgorithm(digest))
  const mediaType = headerType(response.headers.get('content-type')) ?? documentType(bytes)
  const descriptor = { mediaType: mediaType ?? '', digest, size: bytes.byteLength }
  if (computed !== digest) throw digestMismatch(descriptor, digestHex(computed), name)
  if (mediaType === undefined) {
    throw responseInvalid({ method: 'GET', url }, `${reference} is no manifest`)
  }
  return { descriptor: { ...descriptor, mediaType }, bytes }
}

/** Asks one host how large a blob is. */
export async function askBlobSize(
  host: RepositoryHost,
  digest: Digest,
  { signal }: CallOptions,
): Promise<number> {
  const { response, url } = await host.session.expect(
    {
      ...readRequest(host, `blobs/${digest}`),
      method: 'HEAD',
      subject: 'blob',
      signal,
    },
    [200],
  )
  response.discard()
  const length = response.headers.get('content-length') ?? ''
  if (/^[0-9]{1,15}$/.test(length)) return Number(length)
  throw responseInvalid({ method: 'HEAD', url }, `the size of ${digest} is missing`)
}

/** The parts of a reading request that depend on the host. */
export function readRequest(
  { candidate }: RepositoryHost,
  path: string,
): Pick<RegistryRequest, 'target' | 'repository' | 'scopes'> {
  const { repository, namespace } = candidate
  const query = namespace === undefined ? '' : `?ns=${encodeURIComponent(namespace)}`
  return {
    target: `${repository}/${path}${query}`,
    repository,
    scopes: [`repository:${repository}:pull`],
  }
}

function describeHead(
  headers: ReadonlyMap<string, string>,
  reference: string,
): Descriptor | undefined {
  const digest = announcedDigest(headers)
  const mediaType = headerType(headers.get('content-type'))
  const length = headers.get('content-length') ?? ''
  if (digest === undefined || mediaType === undefined) return undefined
  if (!/^[1-9][0-9]{0,15}$/.test(length)) return undefined
  // A registry that announces another digest than the one asked for has to show the bytes.
  if (isDigest(reference) && reference !== digest) return undefined
  return { mediaType, digest, size: Number(length) }
}

function announcedDigest(headers: ReadonlyMap<string, string>): Digest | undefined {
  const text = headers.get('docker-content-digest')
  return text !== undefined && isDigest(text) ? text : undefined
}

function hashed(bytes: Uint8Array, algorithm: string): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`)
}
