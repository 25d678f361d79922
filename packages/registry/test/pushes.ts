import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { OpenRegistry } from '../src/index.ts'

/** Whether the registry said yes to every step. */
export async function push(
  registry: OpenRegistry,
  tag: string,
  repository = 'team/app',
): Promise<boolean> {
  const [layer, config, manifest] = imageOf(tag)
  for (const blob of [layer, config]) {
    const target = `/v2/${repository}/blobs/uploads/?digest=${sha256(blob)}`
    if ((await ask(registry, 'POST', target, blob)).status !== 201) return false
  }
  const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }
  const target = `/v2/${repository}/manifests/${tag}`
  const { status, headers } = await ask(registry, 'PUT', target, manifest, type)
  if (status !== 201) expect([status, headers?.['retry-after']]).toEqual([503, '2'])
  return status === 201
}

export async function remove(
  registry: OpenRegistry,
  tag: string,
  repository = 'team/app',
): Promise<boolean> {
  return (await ask(registry, 'DELETE', `/v2/${repository}/manifests/${tag}`)).status === 202
}

export async function expectImage(
  registry: OpenRegistry,
  tag: string,
  repository = 'team/app',
): Promise<void> {
  const [layer, config, manifest] = imageOf(tag)
  const found = await ask(registry, 'GET', `/v2/${repository}/manifests/${tag}`)
  expect([found.status, found.text]).toEqual([200, manifest.toString()])
  for (const blob of [layer, config]) {
    const got = await ask(registry, 'GET', `/v2/${repository}/blobs/${sha256(blob)}`)
    expect(got.text).toBe(blob.toString())
  }
}

function imageOf(tag: string): readonly [layer: Buffer, config: Buffer, manifest: Buffer] {
  // Too large for the database, and small enough.
  const layer = Buffer.alloc(80_000, `layer of ${tag} `)
  const config = Buffer.from(JSON.stringify({ tag }))
  const named = (bytes: Buffer, kind: string) => ({
    mediaType: `application/vnd.oci.image.${kind}`,
    digest: sha256(bytes),
    size: bytes.length,
  })
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: named(config, 'config.v1+json'),
    layers: [named(layer, 'layer.v1.tar')],
  }
  return [layer, config, Buffer.from(JSON.stringify(manifest))]
}

export async function ask(
  registry: OpenRegistry,
  method: string,
  target: string,
  body: Buffer = Buffer.alloc(0),
  headers: Readonly<Record<string, string>> = {},
) {
  const [path = '', query] = target.split('?')
  const answer = await registry.handle({
    method,
    path,
    query: new URLSearchParams(query),
    header: (name) => ({ 'content-length': String(body.length), ...headers })[name],
    body: (async function* bytes() {
      yield body
    })(),
  })
  const chunks: Uint8Array[] = []
  if (answer.body instanceof Uint8Array) chunks.push(answer.body)
  else if (answer.body !== undefined) for await (const chunk of answer.body) chunks.push(chunk)
  return { status: answer.status, headers: answer.headers, text: Buffer.concat(chunks).toString() }
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
