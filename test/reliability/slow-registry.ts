import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { type LayerEntry, tarBytes } from '@katman/layer'
import { type Descriptor, type Digest, mediaTypes, parseDigest } from '@katman/oci'
import { createRegistry, openMemoryStorage, type RegistryStorage } from '@katman/registry'
import { placeBlob, placeManifest } from '../registry/content.ts'

/** One request for a blob, and what of it was sent. */
interface BlobRequest {
  readonly digest: string
  /** First byte asked for. */
  readonly start: number
  sent: number
}

/** The registry package behind a server that counts and can be slow. */
export interface SlowRegistry extends AsyncDisposable {
  readonly host: string
  readonly blobRequests: BlobRequest[]
  /** Called after each piece of a blob, with all bytes of blobs sent so far. */
  onBytes: ((sent: number) => void) | undefined
  /** Bytes sent at once, and the pause behind them. */
  pieceBytes: number
  pauseMs: number
  /** Makes an image of one platform under `test/REPOSITORY:latest`, from these layers. */
  addImage(repository: string, layers: readonly Uint8Array[]): Promise<TestImage>
}

export interface TestImage {
  readonly reference: string
  readonly digest: string
  readonly layers: readonly Descriptor[]
  readonly layerBytes: number
}

/** A gzip layer that holds these files, stored rather than squeezed. */
export function gzipLayer(files: Readonly<Record<LayerEntry['path'], Uint8Array>>): Uint8Array {
  const entries = Object.entries(files).map(([name, content]) => ({ name, content }))
  return tarBytes(entries)
}

export async function startSlowRegistry(): Promise<SlowRegistry> {
  const storage = await openMemoryStorage()
  const registry = createRegistry(storage)
  const blobRequests: BlobRequest[] = []
  let total = 0

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const [path = '', query = ''] = (incoming.url ?? '/').split('?')
    const {
      status,
      headers = {},
      body,
    } = await registry.handle({
      method: incoming.method ?? 'GET',
      path,
      query: new URLSearchParams(query),
      header: (name) => incoming.headersDistinct[name]?.join(', '),
      body: incoming,
    })
    const digest = /\/blobs\/(sha256:\w+)$/.exec(path)?.[1]
    const isBlob = digest !== undefined && incoming.method === 'GET' && status < 300
    const start = Number(/^bytes=(\d+)-/.exec(incoming.headers.range ?? '')?.[1] ?? 0)
    const request: BlobRequest = { digest: digest ?? '', start, sent: 0 }
    if (isBlob) blobRequests.push(request)
    const length = body instanceof Uint8Array ? { 'content-length': body.byteLength } : {}
    outgoing.writeHead(status, { ...length, ...headers })
    if (body === undefined || incoming.method === 'HEAD') {
      outgoing.end()
      return
    }
    for await (const piece of piecesOf(body, slow.pieceBytes)) {
      if (outgoing.destroyed) return
      if (!outgoing.write(piece)) await drained(outgoing)
      if (!isBlob) continue
      request.sent += piece.byteLength
      total += piece.byteLength
      slow.onBytes?.(total)
      // A pace, so that a client can be killed before the kernel has taken everything for it.
      await pause(slow.pauseMs)
    }
    outgoing.end()
  }

  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server that listens on TCP has such an address
  const { port } = server.address() as AddressInfo
  const host = `127.0.0.1:${port}`
  const slow: SlowRegistry = {
    host,
    blobRequests,
    onBytes: undefined,
    pieceBytes: 64 * 1024,
    pauseMs: 2,
    addImage: (repository, layers) => addImage(storage, host, repository, layers),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => {
        server.close(resolve)
      })
      server.closeAllConnections()
      await closed
    },
  }
  return slow
}

async function drained(outgoing: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  outgoing.on('drain', resolve).on('close', resolve)
  await promise
  outgoing.off('drain', resolve).off('close', resolve)
}

async function* piecesOf(
  body: Uint8Array | AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array> {
  const chunks = body instanceof Uint8Array ? [body] : body
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength; at += size) yield chunk.subarray(at, at + size)
  }
}

async function addImage(
  storage: RegistryStorage,
  host: string,
  name: string,
  tars: readonly Uint8Array[],
): Promise<TestImage> {
  const repository = `test/${name}`
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const digest = await placeBlob(storage, repository, bytes)
    return { mediaType, digest, size: bytes.byteLength }
  }
  const layers: Descriptor[] = []
  for (const tar of tars) {
    layers.push(await put(gzipSync(tar, { level: 1 }), mediaTypes.ociLayerGzip))
  }
  const config = await put(
    encode({
      os: 'linux',
      architecture: 'amd64',
      config: { Labels: { name } },
      rootfs: { type: 'layers', diff_ids: tars.map(digestOf) },
    }),
    mediaTypes.ociConfig,
  )
  const mediaType = mediaTypes.ociManifest
  const bytes = encode({ schemaVersion: 2, mediaType, config, layers })
  const digest = digestOf(bytes)
  await placeManifest(storage, repository, { digest, mediaType, bytes }, ['latest'])
  return {
    reference: `${host}/${repository}:latest`,
    digest,
    layers,
    layerBytes: layers.reduce((sum, { size }) => sum + size, 0),
  }
}

function encode(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}
