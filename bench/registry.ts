// Times the registry beside Debian's docker-registry, both in one run, on random data in fresh folders.
// `node bench/registry.ts [PART…]` with PART one of small, blobs, uploads, tags, memory; all without.
// BENCH_PLACE: the folder for the content (default: tmpfs). BENCH_GIGABYTES: of the large push (default 2).
// BENCH_TAGS: of the large repository (default 100,000). BENCH_ROUNDS: how often each is measured.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { warmMemory } from './measure.ts'
import {
  closing,
  digestOf,
  expectStatus,
  openUpload,
  pushBlob,
  type Pushed,
  pushImage,
  randomContent,
  repository,
} from './registry/content.ts'
import { type Load, loadByBlobs, loadByGet, loadByHead, loadByUploads } from './registry/load.ts'
import { addReferrers, addTags, p99Of, pushLarge, tagName } from './registry/many-tags.ts'
import { forgetPeak, usageOf } from './registry/process-tree.ts'
import { type BenchServer, type ServerKind, startServer, versionOf } from './registry/servers.ts'
import { Table } from './registry/table.ts'
import { rounds } from './report.ts'

const kinds: readonly ServerKind[] = ['katman', 'docker-registry']
const parts = { small, blobs, uploads, tags, memory }
const place = mkdtempSync(
  path.join(process.env['BENCH_PLACE'] ?? '/dev/shm', 'katman-registry-bench-'),
)
const seconds = Number(process.env['BENCH_SECONDS'] ?? 4)
const large = 100e6

try {
  console.log(`${os.cpus().length} × ${os.cpus()[0]?.model ?? '?'}, content in ${place}`)
  for (const kind of kinds) console.log(versionOf(kind))
  console.log('zot and olareg cannot be had here: their Go modules are not served')
  console.log(
    `medians of ${rounds} rounds, taken in turns; client and server share the processors\n`,
  )
  const chosen = process.argv.slice(2)
  for (const [name, part] of Object.entries(parts)) {
    if (chosen.length === 0 || chosen.includes(name)) await part()
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}

/** Manifests and the heads of blobs, at 64 connections. */
async function small(): Promise<void> {
  const table = new Table('requests at 64 connections, a second')
  const seed = randomContent(8192)
  const servers = await startBoth()
  const pushed = new Map<BenchServer, Pushed>()
  for (const server of servers) pushed.set(server, await pushImage(server.url, seed))
  const loads: readonly [
    string,
    (url: string, seconds: number) => Promise<Load>,
    (of: Pushed) => string,
  ][] = [
    ['manifest GET by tag', loadByGet, ({ tag }) => `manifests/${tag}`],
    ['manifest GET by digest', loadByGet, ({ manifest }) => `manifests/${manifest}`],
    ['manifest HEAD by tag', loadByHead, ({ tag }) => `manifests/${tag}`],
    ['manifest HEAD by digest', loadByHead, ({ manifest }) => `manifests/${manifest}`],
    ['blob HEAD', loadByHead, ({ config }) => `blobs/${config}`],
    ['blob GET, 4 kB', loadByGet, ({ config }) => `blobs/${config}`],
  ]
  for (const [title, load, pathOf] of loads) {
    for (let round = 0; round < rounds; round++) {
      for (const server of servers) {
        const image = pushed.get(server)
        if (image === undefined) continue
        const before = usageOf(server.pid).cpuSeconds
        const url = `${server.url}/v2/${repository}/${pathOf(image)}`
        const { perSecond, p99Ms } = await load(url, seconds)
        const cores = (usageOf(server.pid).cpuSeconds - before) / seconds
        // What it costs the server, which the other work of this machine does not change much.
        const each = (cores / perSecond) * 1e6
        table.add(title, server.kind, perSecond, { 'p99 ms': p99Ms, cores, 'CPU µs each': each })
      }
    }
  }
  table.print()
  await end(servers)
}

/** GET of a blob of 100 MB. */
async function blobs(): Promise<void> {
  const table = new Table('blob GET of 100 MB, MB/s')
  const content = randomContent(large)
  const servers = await startBoth()
  const digest = digestOf(content)
  for (const server of servers) await pushBlob(server.url, content)
  warmMemory()
  for (const clients of [1, 8]) {
    for (let round = 0; round < rounds; round++) {
      for (const server of servers) {
        const before = usageOf(server.pid).cpuSeconds
        const url = `${server.url}/v2/${repository}/blobs/${digest}`
        const times = clients === 1 ? 10 : 4
        const rate = await loadByBlobs(url, { clients, times, bytes: large })
        const gigabytes = (clients * times * large) / 1e9
        const cpu = (usageOf(server.pid).cpuSeconds - before) / gigabytes
        table.add(`${clients} client(s)`, server.kind, rate, { 'CPU s/GB': cpu })
      }
    }
  }
  table.print()
  await end(servers)
}

/** Upload of blobs of 100 MB that the server has not seen. */
async function uploads(): Promise<void> {
  const table = new Table('blob upload of 100 MB, MB/s')
  const content = randomContent(large)
  const files = path.join(place, 'files')
  rmSync(files, { recursive: true, force: true })
  mkdirSync(files)
  let number = 0
  warmMemory()
  for (const clients of [1, 4]) {
    for (let round = 0; round < rounds; round++) {
      for (const kind of kinds) {
        await using server = await startServer(kind, { place })
        const prepared = Array.from({ length: clients }, (_, n) => {
          content.writeUInt32BE(++number)
          const file = path.join(files, String(n))
          writeFileSync(file, content)
          const digest = digestOf(content)
          return { file, open: async () => closing(await openUpload(server.url), digest) }
        })
        // Its first upload pays for what it loads then.
        await pushBlob(server.url, content.subarray(0, 1000))
        const before = usageOf(server.pid).cpuSeconds
        const rate = await loadByUploads(prepared, large)
        const cpu = (usageOf(server.pid).cpuSeconds - before) / ((clients * large) / 1e9)
        table.add(`${clients} client(s)`, kind, rate, { 'CPU s/GB': cpu })
        rmSync(server.data, { recursive: true, force: true })
      }
    }
  }
  table.print()
}

/** Pages of a repository with very many tags. */
async function tags(): Promise<void> {
  const count = Number(process.env['BENCH_TAGS'] ?? 100_000)
  const title = `repository with ${count.toLocaleString('en')} tags, 1 client, p99 in ms`
  const table = new Table(title)
  const seed = randomContent(8192)
  for (const kind of kinds) {
    await using server = await startServer(kind, { place })
    const image = await pushImage(server.url, seed)
    const start = performance.now()
    await addTags(server, image, count)
    const added = (performance.now() - start) / 1000
    if (kind === 'katman') {
      console.log(`  ${count} tags pushed in ${added.toFixed(0)} s`)
      await addReferrers(server.url, image, 50)
    }
    const asked = kind === 'katman' ? 1000 : 5
    const pages = Array.from({ length: asked }, (_, n) => {
      const last = tagName(Math.floor((n * count) / asked))
      return `/v2/${repository}/tags/list?n=100&last=${last}`
    })
    table.add('tag page of 100', kind, await p99Of(server.url, pages))
    const manifests = pages.map((_, n) => {
      return `/v2/${repository}/manifests/${tagName(Math.floor((n * count) / asked))}`
    })
    table.add('manifest GET by tag', kind, await p99Of(server.url, manifests))
    if (kind !== 'katman') continue
    const referrers = pages.map(() => `/v2/${repository}/referrers/${image.manifest}`)
    table.add('referrers (50)', kind, await p99Of(server.url, referrers))
    await server[Symbol.asyncDispose]()
    await using again = await startServer(kind, { place, data: server.data })
    table.add('start-up on that', kind, again.startMs)
  }
  table.print()
}

/** Start-up, and memory when idle and during a large push. */
async function memory(): Promise<void> {
  const gigabytes = Number(process.env['BENCH_GIGABYTES'] ?? 2)
  const table = new Table('start-up and memory')
  const chunk = randomContent(1e6)
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      await using server = await startServer(kind, { place })
      table.add('start-up, ms', kind, server.startMs)
    }
  }
  for (const kind of kinds) {
    await using server = await startServer(kind, { place })
    await pushImage(server.url, randomContent(8192))
    await delay(3000)
    const idle = usageOf(server.pid).residentMegabytes
    table.add('idle, MB', kind, idle)
    forgetPeak(server.pid)
    const upload = await openUpload(server.url)
    const { location, digest } = await pushLarge(upload, { gigabytes, chunk })
    await expectStatus(await fetch(closing(location, digest), { method: 'PUT' }), 201)
    const grown = usageOf(server.pid).peakMegabytes - idle
    table.add(`push of ${gigabytes} GB, MB more at most`, kind, grown)
  }
  table.print()
}

async function startBoth(): Promise<readonly BenchServer[]> {
  const servers: BenchServer[] = []
  for (const kind of kinds) servers.push(await startServer(kind, { place }))
  return servers
}

async function end(servers: readonly BenchServer[]): Promise<void> {
  for (const server of servers) await server[Symbol.asyncDispose]()
}
