import { createHash } from 'node:crypto'
import type { RegistryOptions } from '../src/index.ts'
import { type AccountsRegistry, basic, openAccountsRegistry } from './accounts.ts'

export const password = 'correct horse'
export const ociManifest = 'application/vnd.oci.image.manifest.v1+json'
export const ociIndex = 'application/vnd.oci.image.index.v1+json'

type Answer = Awaited<ReturnType<AccountsRegistry['ask']>>

/** A registry of an administrator `root` and two people, `ayse` and `baris`, each with a namespace. */
export interface Village extends AsyncDisposable {
  readonly registry: AccountsRegistry
  /** Asks as a person; undefined is anybody. */
  as(who: string | undefined, method: string, target: string, options?: Asking): Promise<Answer>
  /** Pushes an image of one layer and gives the digests of layer and manifest. */
  push(who: string, repository: string, tag: string, text?: string): Promise<Pushed>
}

interface Asking {
  readonly body?: string | object
  readonly headers?: Readonly<Record<string, string>>
}

interface Pushed {
  readonly layer: string
  readonly manifest: string
  readonly bytes: string
}

export async function openVillage(options: RegistryOptions = {}): Promise<Village> {
  const registry = await openAccountsRegistry(options)
  await registry.addAccount('root', { clear: password, isAdmin: true })
  const as: Village['as'] = (who, method, target, { body, headers } = {}) =>
    registry.ask(method, target, {
      authorization: who === undefined ? undefined : basic(who, password),
      headers: {
        ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })
  for (const name of ['ayse', 'baris']) {
    await as('root', 'POST', '/api/v1/accounts', { body: { name, password } })
  }
  return {
    registry,
    as,
    async push(who, repository, tag, text = tag) {
      const config = '{}'
      for (const blob of [config, text]) {
        const target = `/v2/${repository}/blobs/uploads/?digest=${digestOf(blob)}`
        await expectStatus(201, as(who, 'POST', target, { body: blob }))
      }
      const bytes = JSON.stringify(imageOf(config, text))
      const put = { body: bytes, headers: { 'content-type': ociManifest } }
      await expectStatus(201, as(who, 'PUT', `/v2/${repository}/manifests/${tag}`, put))
      return { layer: digestOf(text), manifest: digestOf(bytes), bytes }
    },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

interface Image {
  readonly schemaVersion: number
  readonly mediaType: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export function imageOf(config: string, layer: string): Image {
  return {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptorOf('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptorOf('application/vnd.oci.image.layer.v1.tar', layer)],
  }
}

export function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

function descriptorOf(mediaType: string, text: string): Descriptor {
  return { mediaType, digest: digestOf(text), size: Buffer.byteLength(text) }
}

async function expectStatus(status: number, asking: Promise<Answer>): Promise<void> {
  const answer = await asking
  if (answer.status !== status) throw new Error(`${answer.status}: ${answer.text}`)
}
