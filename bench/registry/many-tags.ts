import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import path from 'node:path'
import { mediaTypes } from '@katman/oci'
import { digestOf, expectStatus, pushManifest, type Pushed, repository } from './content.ts'
import type { BenchServer } from './servers.ts'

/** Gives the repository `count` tags of one manifest. */
export async function addTags(server: BenchServer, pushed: Pushed, count: number): Promise<void> {
  if (server.kind === 'docker-registry') {
    linkTags(server.data, pushed.manifest, count)
    return
  }
  const got = await fetch(`${server.url}/v2/${repository}/manifests/${pushed.manifest}`, {
    headers: { accept: mediaTypes.ociManifest },
  })
  const document = Buffer.from(await got.arrayBuffer())
  let next = 0
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (next < count) await pushManifest(server.url, tagName(next++), document)
    }),
  )
}

/** What a hundred thousand pushes would leave in the folder of docker-registry, which would take minutes. */
function linkTags(data: string, manifest: string, count: number): void {
  const tags = path.join(data, 'docker/registry/v2/repositories', repository, '_manifests/tags')
  for (let n = 0; n < count; n++) {
    const current = path.join(tags, tagName(n), 'current')
    mkdirSync(current, { recursive: true })
    writeFileSync(path.join(current, 'link'), manifest)
  }
}

/** Attaches artifacts to the manifest. */
export async function addReferrers(url: string, pushed: Pushed, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const document = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: 'application/vnd.bench.note',
        config: { mediaType: mediaTypes.ociConfig, digest: pushed.config, size: 4096 },
        layers: [],
        subject: { mediaType: mediaTypes.ociManifest, digest: pushed.manifest, size: 1 },
        annotations: { n: String(n) },
      }),
    )
    await pushManifest(url, digestOf(document), document)
  }
}

export function tagName(n: number): string {
  return `v${String(n).padStart(6, '0')}`
}

/** The 99th of a hundred waits, in ms, of one client that asks for each path once. */
export async function p99Of(url: string, paths: readonly string[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const waits: number[] = []
  for (const one of paths) {
    const start = performance.now()
    await get(new URL(one, url), agent)
    waits.push(performance.now() - start)
  }
  agent.destroy()
  return waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.99)] ?? Number.NaN
}

function get(url: URL, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { accept: mediaTypes.ociManifest }
    request(url, { agent, headers }, (response) => {
      response.resume()
      response.once('end', () => {
        if (response.statusCode === 200) resolve()
        else reject(new Error(`${url.href}: ${response.statusCode}`))
      })
    })
      .once('error', reject)
      .end()
  })
}

/** A push of `gigabytes` in one request, as docker does it: the digest comes with the end. */
export async function pushLarge(
  upload: URL,
  { gigabytes, chunk }: { readonly gigabytes: number; readonly chunk: Buffer },
): Promise<{ readonly location: URL; readonly digest: string }> {
  const hash = createHash('sha256')
  async function* bytes(): AsyncGenerator<Buffer> {
    for (let n = 0; n < gigabytes * 1000; n++) {
      const piece = Buffer.from(chunk)
      piece.writeUInt32BE(n)
      hash.update(piece)
      yield piece
    }
  }
  const init: RequestInit & { readonly duplex: string } = {
    method: 'PATCH',
    headers: { 'content-type': 'application/octet-stream' },
    body: ReadableStream.from(bytes()),
    duplex: 'half',
  }
  const response = await fetch(upload, init)
  await expectStatus(response, 202)
  const location = new URL(response.headers.get('location') ?? '', upload)
  return { location, digest: `sha256:${hash.digest('hex')}` }
}
