import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Digest, mediaTypes, parseDigest } from '@katman/oci'
import {
  openFolderStorage,
  openMemoryStorage,
  type RegistryServer,
  type RegistryStorage,
  serveRegistry,
  type ServeOptions,
} from '../src/index.ts'

/** Every storage a registry can have: each behaviour holds for all of them. */
export const storages = [['memory'], ['folder']] as const

export interface TestRegistry extends RegistryServer, AsyncDisposable {
  /** A request to `/v2/PATH`; redirects are left alone. */
  send(method: string, path: string, init?: RequestInit): Promise<Response>
  /** Pushes a blob in one request. */
  addBlob(repository: string, content: string | Uint8Array): Promise<Digest>
  /** Pushes a manifest. */
  addManifest(
    repository: string,
    reference: string,
    document: object,
    mediaType?: string,
  ): Promise<Response>
}

export async function startRegistry(
  kind: 'memory' | 'folder' = 'memory',
  options: Partial<ServeOptions> = {},
): Promise<TestRegistry> {
  const root = kind === 'folder' ? await makeFolder() : undefined
  const storage = options.storage ?? (await openStorage(root))
  const server = await serveRegistry({ ...options, storage })
  const send: TestRegistry['send'] = (method, target, init) =>
    fetch(new URL(`${server.url}/v2/${target}`), { redirect: 'manual', ...init, method })
  return {
    ...server,
    send,
    async addBlob(repository, content) {
      const digest = digestOf(content)
      const response = await send('POST', `${repository}/blobs/uploads/?digest=${digest}`, {
        body: Buffer.from(content),
      })
      if (response.status !== 201) throw new Error(`blob: ${response.status}`)
      return digest
    },
    addManifest(repository, reference, document, mediaType = mediaTypes.ociManifest) {
      return send('PUT', `${repository}/manifests/${reference}`, {
        headers: { 'content-type': mediaType },
        body: JSON.stringify(document),
      })
    },
    async [Symbol.asyncDispose]() {
      await server.close()
      await storage.close()
      if (root !== undefined) await rm(root, { recursive: true, force: true })
    },
  }
}

function openStorage(root: string | undefined): Promise<RegistryStorage> {
  return root === undefined ? openMemoryStorage() : openFolderStorage(root)
}

/** Pushes an image of one layer, different for each text, and tags it. Its digest. */
export async function addImage(
  registry: TestRegistry,
  repository: string,
  tag: string,
  text = tag,
): Promise<Digest> {
  const document = await imageDocument(registry, repository, text)
  const response = await registry.addManifest(repository, tag, document)
  if (response.status !== 201) throw new Error(`manifest: ${response.status}`)
  return digestOf(JSON.stringify(document))
}

/** The manifest of an image whose content is pushed already. */
export async function imageDocument(
  registry: TestRegistry,
  repository: string,
  text: string,
): Promise<object> {
  const config = '{}'
  const layer = `layer of ${text}`
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: mediaTypes.ociConfig,
      digest: await registry.addBlob(repository, config),
      size: config.length,
    },
    layers: [
      {
        mediaType: mediaTypes.ociLayer,
        digest: await registry.addBlob(repository, layer),
        size: layer.length,
      },
    ],
  }
}

export function digestOf(content: string | Uint8Array, algorithm = 'sha256'): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(content).digest('hex')}`)
}

/** The codes of an error document. */
export async function codesOf(response: Response): Promise<readonly string[]> {
  const document: unknown = await response.json()
  if (typeof document !== 'object' || document === null || !('errors' in document)) return []
  const { errors } = document
  if (!Array.isArray(errors)) return []
  return errors.map((error: { readonly code: unknown }) => String(error.code))
}

/** A request whose body is sent as it is made. */
export function streamed(bytes: AsyncIterable<Uint8Array>): RequestInit {
  // `duplex` is missing in the types of fetch.
  const init: RequestInit & { readonly duplex: string } = {
    body: ReadableStream.from(bytes),
    duplex: 'half',
  }
  return init
}

export function makeFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'katman-registry-'))
}
