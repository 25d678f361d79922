import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { mediaTypes } from '@katman/oci'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore, type Store } from './index.ts'
import { openNodeFiles } from './node-files.ts'
import { digestOf, makeTestFolder } from '../test/test-image.ts'

// Real processes with the kernel's locks. What a process fetches, it prints.

const program = fileURLToPath(new URL('../test/write-process.ts', import.meta.url))
const size = 400_000
const bytes = Buffer.alloc(size, 'content of the blob ')
const digest = digestOf(bytes)
const descriptor = { mediaType: mediaTypes.ociEmpty, digest, size }

let root: string
let children: ChildProcess[]
beforeEach(() => {
  root = makeTestFolder()
  children = []
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  fs.rmSync(root, { recursive: true, force: true })
})

describe('processes that write one digest', () => {
  it('fetch it once', async () => {
    const writers = [start('whole'), start('whole'), start('whole'), start('whole')]
    const said = await Promise.all(writers.map((writer) => writer.end()))
    expect(said.flat().filter((line) => line.startsWith('open'))).toEqual(['open 0'])
    expect(said.map((lines) => lines.at(-1))).toEqual(writers.map(() => 'done'))
    expect(bytes.equals(await content())).toBe(true)
  })

  it('go on where a killed one stopped, and wait for nobody dead', async () => {
    const first = start('stall')
    await first.line('half')
    const second = start('whole')
    // It shows how far the other is.
    await second.line('half')
    first.child.kill('SIGKILL')
    const [opened] = (await second.end()).filter((line) => line.startsWith('open'))
    expect(opened).toBe(`open ${size / 2}`)
    expect(bytes.equals(await content())).toBe(true)
    await withStore(async (store) => {
      expect((await store.check({ level: 'hash' })).problems).toEqual([])
      await store.collectGarbage()
      expect(fs.readdirSync(path.join(root, 'leases'))).toHaveLength(1)
      expect(fs.readdirSync(path.join(root, 'ingest'))).toEqual([])
    })
  })

  it('keep their content from a collection until they end', async () => {
    const holder = start('hold')
    await holder.line('held')
    const collect = () => withStore((store) => store.collectGarbage({ minAgeMs: 0 }))
    expect((await collect()).deleted).toEqual([])
    holder.child.kill('SIGKILL')
    await holder.end()
    expect((await collect()).deleted).toEqual([{ kind: 'blob', digest, sizeBytes: size }])
  })
})

describe('Files.lock', () => {
  it('without kernel locks, a dead process is told from a live one by the process table', async () => {
    const files = { ...openNodeFiles(), lock: () => 'unsupported' as const }
    const first = start('stall', 'no-locks')
    await first.line('half')
    const store = await openStore({ root, files })
    const opened: number[] = []
    const write = store.write(descriptor, async (at) => {
      opened.push(at)
      return (async function* () {
        yield bytes.subarray(at)
      })()
    })
    const early = await Promise.race([write, new Promise((resolve) => setTimeout(resolve, 150, 0))])
    expect([early, opened]).toEqual([0, []])
    first.child.kill('SIGKILL')
    await write
    expect(opened).toEqual([size / 2])
    await store[Symbol.asyncDispose]()
  })
})

interface Running {
  readonly child: ChildProcess
  /** Resolves when the process prints this line. */
  line(text: string): Promise<void>
  /** Every line it printed. */
  end(): Promise<readonly string[]>
}

function start(mode: 'whole' | 'stall' | 'hold', ...more: readonly string[]): Running {
  const child = spawn(process.execPath, [program, root, mode, ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => lines.push(line))
  const ended = once(child, 'close')
  return {
    child,
    async line(text) {
      while (!lines.includes(text)) {
        if (child.exitCode !== null) throw new Error(`ended without ${text}: ${lines.join(', ')}`)
        await once(reader, 'line')
      }
    },
    async end() {
      await ended
      return lines
    },
  }
}

async function content(): Promise<Uint8Array> {
  return withStore(async (store) =>
    Buffer.concat(await Array.fromAsync(await store.open(descriptor))),
  )
}

async function withStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  await using store = await openStore({ root })
  return await use(store)
}
