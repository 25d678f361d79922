import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ServerOptions } from './server-options.ts'
import { startServer } from './start-server.ts'

const output = { log: () => undefined, warn: () => undefined }
const nowhere = { host: '127.0.0.1', port: 0 }
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katman-server-'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(folder, { recursive: true })
})

function options(more: Partial<ServerOptions> = {}): ServerOptions {
  return { registry: { folder, isOpen: true }, listen: nowhere, threads: 1, ...more }
}

/** A port that somebody else has. */
async function takePort(): Promise<{ port: number; [Symbol.asyncDispose](): Promise<void> }> {
  const server = createServer().listen(nowhere)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

describe('startServer', () => {
  it.each([1, 2])('leaves nothing that listens when it fails, with %i threads', async (threads) => {
    const free = await takePort()
    await free[Symbol.asyncDispose]()
    await using taken = await takePort()
    const listen = { ...nowhere, port: free.port }
    const metricsListen = { ...nowhere, port: taken.port }
    const starting = startServer(options({ listen, metricsListen, threads }), output)
    await expect(starting).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await expect(fetch(`http://127.0.0.1:${free.port}/healthz`)).rejects.toThrow('fetch failed')
    // The folder is free again, too.
    const server = await startServer(options({ listen }), output)
    expect((await fetch(`http://127.0.0.1:${free.port}/healthz`)).status).toBe(200)
    await server.stop()
  })

  it('tells that a thread died, still shows its numbers, and stops', async () => {
    const post = vi.spyOn(Worker.prototype, 'postMessage')
    const metricsListen = nowhere
    const server = await startServer(options({ threads: 2, metricsListen }), output)
    const read = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${server.metricsAddress?.port}/metrics`)).text()
    expect(await read()).toContain('katman_registry_threads 2')
    const [worker] = post.mock.contexts
    if (!(worker instanceof Worker)) throw new TypeError('no thread')
    void worker.terminate()
    await expect(server.failed).rejects.toMatchObject({ code: 'REGISTRY_THREAD_FAILED' })
    expect(await read()).toContain('katman_registry_threads 2')
    await server.stop()
  })
})
