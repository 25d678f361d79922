import { createHash, randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { testImages } from '../peers/images.ts'
import { createPeerDirectory } from '../peers/process.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { copyToRegistry } from '../peers/skopeo.ts'
import { runChecked, runCommand } from '../peers/terminal.ts'
import { type Replicas, startReplicas } from './replicas.ts'

const mebibyte = 1024 * 1024

describePeers('three replicas', ['postgres', 'versitygw', 'crane', 'skopeo', 'images'], () => {
  let running: Replicas | undefined
  const replicas = () => {
    if (running === undefined) throw new Error('the replicas run only inside the tests')
    return running
  }
  beforeAll(async () => {
    running = await startReplicas()
  })
  afterAll(() => running?.[Symbol.asyncDispose]())

  it('take an upload in turn, each from where another left it', async () => {
    const [one, two, three] = replicas().servers.map(({ host }) => host)
    const bytes = randomBytes(23 * mebibyte + 5)
    const digest = sha256(bytes)
    const begun = await ask(one, 'POST', '/v2/team/app/blobs/uploads/')
    expect(begun.status).toBe(202)
    const location = begun.headers.get('location') ?? ''
    const cuts = [0, 3 * mebibyte, 3 * mebibyte + 40_000, 17 * mebibyte, bytes.length]
    for (const [at, start] of cuts.slice(0, -1).entries()) {
      const chunk = bytes.subarray(start, cuts[at + 1])
      const host = [two, three, one, two][at]
      const answer = await ask(host, 'PATCH', location, chunk, {
        'content-range': `${start}-${start + chunk.length - 1}`,
      })
      expect([answer.status, answer.headers.get('range')]).toEqual([
        202,
        `0-${start + chunk.length - 1}`,
      ])
    }
    const state = await ask(one, 'GET', location)
    expect([state.status, state.headers.get('range')]).toEqual([204, `0-${bytes.length - 1}`])
    const closed = await ask(three, 'PUT', `${location}?digest=${digest}`)
    expect(closed.status).toBe(201)
    for (const host of [one, two, three]) {
      const blob = await ask(host, 'GET', `/v2/team/app/blobs/${digest}`)
      expect(sha256(Buffer.from(await blob.arrayBuffer()))).toBe(digest)
    }
  })

  it('refuse a chunk that begins where another replica is not', async () => {
    const [one, two, three] = replicas().servers.map(({ host }) => host)
    const begun = await ask(one, 'POST', '/v2/team/app/blobs/uploads/')
    const location = begun.headers.get('location') ?? ''
    const chunk = randomBytes(100_000)
    expect((await ask(two, 'PATCH', location, chunk)).status).toBe(202)
    const wrong = { 'content-range': '0-99999' }
    expect((await ask(three, 'PATCH', location, chunk, wrong)).status).toBe(416)
    expect((await ask(three, 'DELETE', location)).status).toBe(204)
    expect((await ask(one, 'GET', location)).status).toBe(404)
  })

  it('show each other at once what was pushed, moved and deleted', async () => {
    const [one, two, three] = replicas().servers.map(({ host }) => host)
    const put = async (host: string | undefined, text: string) =>
      ask(host, 'PUT', '/v2/team/tags/manifests/latest', manifestOf(text), {
        'content-type': 'application/vnd.oci.image.index.v1+json',
      })
    for (const [at, host] of [one, two, three, one, two].entries()) {
      const answer = await put(host, `step ${at}`)
      expect(answer.status).toBe(201)
      for (const other of [one, two, three]) {
        const seen = await ask(other, 'HEAD', '/v2/team/tags/manifests/latest')
        expect(seen.headers.get('docker-content-digest')).toBe(
          answer.headers.get('docker-content-digest'),
        )
      }
    }
    expect((await ask(three, 'DELETE', '/v2/team/tags/manifests/latest')).status).toBe(202)
    for (const other of [one, two, three]) {
      expect((await ask(other, 'GET', '/v2/team/tags/manifests/latest')).status).toBe(404)
    }
  })

  it.each(['alpine:3.20', 'busybox:latest'])(
    'take %s from skopeo and give it to crane',
    async (image) => {
      const target = `${replicas().host}/library/${image}`
      await copyToRegistry(testImages(), image, target)
      const { stdout } = await runChecked(goTool('crane'), [
        'validate',
        '--insecure',
        '--remote',
        target,
      ])
      expect(stdout).toContain('PASS')
      expect(replicas().balancer.counts.every((count) => count > 3)).toBe(true)
    },
  )
})

describePeers('a replica that is killed', ['postgres', 'versitygw', 'crane'], () => {
  it('loses nothing, and no client fails for good', async () => {
    await using replicas = await startReplicas()
    const folder = await createPeerDirectory('pushes')
    try {
      const images = 100
      const [victim] = replicas.servers
      let next = 0
      let failures = 0
      const push = async (): Promise<void> => {
        while (next < images) {
          const at = next++
          // In the middle of it all, while others are under way.
          if (at === 40 && victim !== undefined) process.kill(victim.process.pid, 'SIGKILL')
          failures += await pushOne(replicas.host, folder, at)
        }
      }
      await Promise.all(Array.from({ length: 6 }, push))
      expect(victim?.process.running()).toBe(false)
      // Whoever was served by the killed one tried again, and only they.
      expect(failures).toBeLessThanOrEqual(6)
      const tags = await ask(replicas.host, 'GET', '/v2/load/app/tags/list')
      expect(await tags.json()).toMatchObject({ tags: { length: images } })
      for (let at = 0; at < images; at += 1) {
        const [blob, manifest] = imageOf(at)
        const found = await ask(replicas.host, 'GET', `/v2/load/app/manifests/v${at}`)
        expect(Buffer.from(await found.arrayBuffer()).equals(manifest)).toBe(true)
        const layer = await ask(replicas.host, 'GET', `/v2/load/app/blobs/${sha256(blob)}`)
        expect(sha256(Buffer.from(await layer.arrayBuffer()))).toBe(sha256(blob))
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  }, 300_000)
})

/** Pushes an image with crane, which tries again by itself; how often it had to be started again. */
async function pushOne(host: string, folder: string, at: number): Promise<number> {
  const [layer, manifest, config] = imageOf(at)
  const layout = path.join(folder, String(at))
  const blobs = path.join(layout, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  for (const bytes of [layer, manifest, config]) {
    await writeFile(path.join(blobs, sha256(bytes).slice('sha256:'.length)), bytes)
  }
  const descriptor = descriptorOf('application/vnd.oci.image.manifest.v1+json', manifest)
  await writeFile(path.join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(
    path.join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }),
  )
  const words = ['push', '--insecure', layout, `${host}/load/app:v${at}`]
  for (let failures = 0; ; failures += 1) {
    const result = await runCommand(goTool('crane'), words)
    if (result.exitCode === 0) return failures
    if (failures === 2) throw new Error(`push ${at} failed for good: ${result.stderr}`)
  }
}

function imageOf(at: number): readonly [layer: Buffer, manifest: Buffer, config: Buffer] {
  const layer = Buffer.alloc(400_000, sha256(Buffer.from(`layer ${at}`)))
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
    }),
  )
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: descriptorOf('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptorOf('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  )
  return [layer, manifest, config]
}

function descriptorOf(mediaType: string, bytes: Buffer) {
  return { mediaType, digest: sha256(bytes), size: bytes.length }
}

function manifestOf(text: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [],
      annotations: { text },
    }),
  )
}

function ask(
  host: string | undefined,
  method: string,
  target: string,
  body?: Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const url = new URL(target, `http://${host ?? ''}`)
  return fetch(url, { method, headers, ...(body === undefined ? {} : { body }) })
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
