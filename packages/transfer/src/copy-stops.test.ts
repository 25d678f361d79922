import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Descriptor } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { addImage, addIndex, addLayer, watch } from '../test/graph.ts'
import { copyContent, type CopyEvent } from './copy.ts'
import { openMemoryPlace } from './memory.ts'
import { openOciLayout } from './oci-layout.ts'
import type { Source, Target } from './place.ts'

const breath = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

function eightLayers() {
  const source = openMemoryPlace()
  const layers = Array.from({ length: 8 }, (_, number) => addLayer(source, `layer ${number}`))
  return { source, layers, root: addIndex(source, [addImage(source, 'a', layers)]) }
}

/** A source whose layers come to a stop in the middle, until they are told to end. */
function stalling(source: Source, layers: readonly Descriptor[]) {
  let open = 0
  const stalled: Source = {
    ...source,
    async open(descriptor, options) {
      if (!layers.some(({ digest }) => digest === descriptor.digest)) {
        return source.open(descriptor, options)
      }
      const { signal } = options ?? {}
      return (async function* () {
        open++
        try {
          yield new Uint8Array(1)
          await new Promise((_, reject) => {
            const fail = (): void => reject(signal?.reason)
            if (signal?.aborted) fail()
            else signal?.addEventListener('abort', fail, { once: true })
          })
        } finally {
          open--
        }
      })()
    },
  }
  return { stalled, open: () => open }
}

describe('copyContent that stops', () => {
  it('lets go of every stream when it is cancelled, with the reason given', async () => {
    const { source, layers, root } = eightLayers()
    const { stalled, open } = stalling(source, layers)
    const stop = new AbortController()
    const place = openMemoryPlace()
    const reason = new Error('the user had enough')
    let receiving = 0
    const copying = copyContent(stalled, place, root, {
      signal: stop.signal,
      onEvent({ type }) {
        if (type === 'progress' && ++receiving === 3) stop.abort(reason)
      },
    })
    await expect(copying).rejects.toBe(reason)
    expect(open()).toBe(0)
    expect(receiving).toBe(3)
    expect(await place.has(root)).toBe(false)
  })

  it('ends the streams of the others when one blob fails', async () => {
    const { source, layers, root } = eightLayers()
    const { stalled, open } = stalling(source, layers.slice(1))
    const place = openMemoryPlace()
    const slow = watch(place, async ({ digest }) => {
      if (digest !== layers[0]?.digest) return
      while (open() < 2) await breath()
      throw new Error('no space')
    })
    await expect(copyContent(stalled, slow.target, root)).rejects.toThrow('no space')
    expect(open()).toBe(0)
    expect(slow.running()).toBe(0)
  })

  it('gives the reason of the caller, also when a file of the source was being read', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'katman-copy-'))
    try {
      const { source, root } = eightLayers()
      const layout = await openOciLayout(folder, { create: true })
      await copyContent(source, layout, root)
      const stop = new AbortController()
      const reason = new Error('the user had enough')
      const { target } = watch(openMemoryPlace(), async () => stop.abort(reason))
      const copying = copyContent(layout, target, root, { signal: stop.signal })
      await expect(copying).rejects.toBe(reason)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it.each(['open', 'stream', 'has', 'write'] as const)('passes on a failing %s', async (where) => {
    const { source, layers, root } = eightLayers()
    const place = openMemoryPlace()
    const broken = new Error(`broken ${where}`)
    const isLayer = ({ digest }: Descriptor): boolean => digest === layers[4]?.digest
    const from: Source = {
      ...source,
      async open(descriptor, options) {
        if (!isLayer(descriptor)) return source.open(descriptor, options)
        if (where === 'open') throw broken
        if (where !== 'stream') return source.open(descriptor, options)
        return (async function* () {
          yield new Uint8Array(1)
          throw broken
        })()
      },
    }
    const to: Target = {
      name: 'broken',
      async has(descriptor) {
        if (where === 'has' && isLayer(descriptor)) throw broken
        return place.has(descriptor)
      },
      async write(descriptor, ...rest) {
        if (where === 'write' && isLayer(descriptor)) throw broken
        return place.write(descriptor, ...rest)
      },
    }
    await expect(copyContent(from, to, root)).rejects.toBe(broken)
    expect(await place.has(root)).toBe(false)
    // What was copied stays good: a second try moves the rest.
    const { movedBlobs } = await copyContent(source, place, root)
    expect(movedBlobs).toBeGreaterThan(0)
    expect(await Promise.all(layers.map((layer) => place.has(layer)))).not.toContain(false)
  })

  it('stops when its events are not wanted any more', async () => {
    const { source, root } = eightLayers()
    const place = openMemoryPlace()
    const copying = copyContent(source, place, root, {
      onEvent({ type }) {
        if (type === 'copied') throw new Error('the listener fails')
      },
    })
    await expect(copying).rejects.toThrow('the listener fails')
    expect(await place.has(root)).toBe(false)
  })

  it('counts what it moved as its events say', async () => {
    const { source, layers, root } = eightLayers()
    const place = openMemoryPlace()
    await place.write(layers[0] ?? root, (start) => source.open(layers[0] ?? root, { start }))
    const received = new Map<string, number>()
    const types: CopyEvent['type'][] = []
    const { movedBlobs, movedBytes } = await copyContent(source, place, root, {
      onEvent(event) {
        types.push(event.type)
        if (event.type !== 'progress' || event.progress.state !== 'receiving') return
        const before = received.get(event.descriptor.digest) ?? 0
        expect(event.progress.bytes).toBeGreaterThan(before)
        received.set(event.descriptor.digest, event.progress.bytes)
      },
    })
    const sizes = layers.slice(1).map(({ size }) => size)
    const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
    expect(movedBlobs).toBe(7)
    expect(movedBytes).toBe(sum(sizes))
    expect(sum([...received.values()])).toBe(movedBytes)
    expect(types.filter((type) => type === 'copied')).toHaveLength(7)
    expect(types.filter((type) => type === 'present')).toHaveLength(1)
  })
})
