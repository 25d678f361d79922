import { type Bytes, type Descriptor, isKatmanError } from '@katman/oci'
import type { CallOptions } from '@katman/transfer'
import { allHosts, askHosts, type HostChoiceOptions, type RepositoryHost } from './host-choice.ts'
import { manifestAccept, readRequest } from './manifest-fetch.ts'
import { isDocumentType } from './manifest-type.ts'
import { type RangeAnswer, rangeStream } from './range-stream.ts'
import { createRetry, type Retry } from './retry.ts'

export interface ContentOptions extends CallOptions {
  readonly start: number
  /** Position of the host to begin with. */
  readonly firstHost: number
  /** Told the position of each host that answered. */
  readonly onHost?: (position: number) => void
  /** What messages call the origin. */
  readonly name: string
}

/**
 * Opens a blob or a manifest by digest as one stream that survives cuts. After each one the next host is asked, so
 * that a mirror that keeps breaking costs one piece.
 */
export async function openContent(
  hosts: HostChoiceOptions,
  descriptor: Descriptor,
  options: ContentOptions,
): Promise<Bytes> {
  const { name, signal, start } = options
  const isManifest = isDocumentType(descriptor.mediaType)
  const what = `${isManifest ? 'manifest' : 'blob'} ${descriptor.digest}`
  const all = allHosts(hosts)
  let next = options.firstHost

  async function ask(host: RepositoryHost, from: number, etag?: string): Promise<RangeAnswer> {
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
    const position = all.indexOf(host)
    next = (position + 1) % all.length
    options.onHost?.(position)
    return { response, exchange: { method: 'GET', url } }
  }

  const choice = { capability: 'pull', what, signal } as const
  const first = await askHosts(hosts, { ...choice, first: next }, (host) => ask(host, start))
  return rangeStream({
    descriptor,
    start,
    name,
    first,
    retry: withOtherHosts(
      createRetry({ ...hosts.patience, clock: hosts.clock, what, signal, onEvent: hosts.onEvent }),
      hosts.mirrors.length,
    ),
    reopen: (from, etag) => {
      // A validator of one host says nothing to another.
      const same = hosts.mirrors.length === 0 ? etag : undefined
      return askHosts(hosts, { ...choice, first: next }, (host) => ask(host, from, same))
    },
  })
}

/** An answer that is wrong for good at one host may be right at the next: that many times it is no failure. */
function withOtherHosts(retry: Retry, others: number): Retry {
  let left = others
  return {
    progress: () => retry.progress(),
    async afterFailure(error) {
      const wrong =
        isKatmanError(error, 'RESPONSE_INVALID') || isKatmanError(error, 'SIZE_MISMATCH')
      if (wrong && left > 0) left--
      else await retry.afterFailure(error)
    },
  }
}
