import { type Descriptor, type Digest, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { addImage, addIndex, addLayer, diffIDs, encode, watch } from '../test/graph.ts'
import { describeBytes } from '../test/target-suite.ts'
import { copyContent, type CopyEvent, type CopyOptions } from './copy.ts'
import { type MemoryPlace, openMemoryPlace } from './memory.ts'
import type { Target } from './place.ts'

describe('copyContent', () => {
  it('copies a whole graph, each content once, children before what names them', async () => {
    const source = openMemoryPlace()
    const shared = addLayer(source, 'shared')
    const images = ['a', 'b'].map((name) =>
      addImage(source, name, [shared, addLayer(source, name)]),
    )
    const inner = addIndex(source, images)
    const root = addIndex(source, [inner, images[0] ?? inner])
    const { target, written } = watch(openMemoryPlace())
    const result = await copyContent(source, target, root)
    expect(written).toHaveLength(new Set(written).size)
    // Three layers, two configs, two manifests, two indexes.
    expect(written).toHaveLength(9)
    const at = (descriptor: Descriptor | undefined): number =>
      written.indexOf(descriptor?.digest ?? root.digest)
    expect(at(root)).toBe(8)
    expect(at(inner)).toBeLessThan(at(root))
    for (const image of images) {
      expect(at(image)).toBeLessThan(at(inner))
      expect(at(shared)).toBeLessThan(at(image))
    }
    expect(result.manifests.map(({ descriptor }) => descriptor.digest)).toEqual(
      images.map(({ digest }) => digest),
    )
    expect(result.manifests[0]?.parents.map(({ digest }) => digest)).toEqual([
      root.digest,
      inner.digest,
    ])
    expect(result).toMatchObject({ movedBlobs: 3, root })
  })

  it('moves nothing that the target has, and says so', async () => {
    const source = openMemoryPlace()
    const root = addImage(source, 'a', [addLayer(source, 'one'), addLayer(source, 'two')])
    const place = openMemoryPlace()
    await copyContent(source, place, root)
    const events: CopyEvent['type'][] = []
    const { target, written } = watch(place)
    const again = await copyContent(source, target, root, {
      onEvent: ({ type }) => events.push(type),
    })
    expect(written).toEqual([])
    expect(again).toMatchObject({ movedBlobs: 0, movedBytes: 0 })
    expect(events).toEqual(['manifest', 'present', 'present'])
  })

  it('reports the events of each blob in order, with all its bytes', async () => {
    const source = openMemoryPlace()
    const layer = addLayer(source, 'x'.repeat(2_000_000))
    const root = addImage(source, 'a', [layer])
    const states: string[] = []
    await copyContent(source, openMemoryPlace(), root, {
      onEvent(event) {
        if (event.descriptor.digest !== layer.digest) return
        states.push(event.type === 'progress' ? event.progress.state : event.type)
      },
    })
    expect([...new Set(states)]).toEqual(['queued', 'receiving', 'received', 'copied'])
  })

  it('keeps the number of blobs under way within its limit', async () => {
    const source = openMemoryPlace()
    const layers = Array.from({ length: 20 }, (_, number) => addLayer(source, `layer ${number}`))
    const root = addImage(source, 'a', layers)
    for (const concurrency of [1, 4]) {
      const breath = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
      const watched = watch(openMemoryPlace(), breath)
      await copyContent(source, watched.target, root, { concurrency })
      expect(watched.most()).toBe(concurrency)
    }
  })

  it('chooses entries of an index, and copies the index as it is', async () => {
    const source = openMemoryPlace()
    const [a, b] = ['a', 'b'].map((name) => addImage(source, name, [addLayer(source, name)]))
    if (a === undefined || b === undefined) throw new Error('two images')
    const root = addIndex(source, [a, b])
    const place = openMemoryPlace()
    await copyContent(source, place, root, { select: () => [b] })
    expect(await Promise.all([root, a, b].map((one) => place.has(one)))).toEqual([
      true,
      false,
      true,
    ])
  })

  it('copies artifacts, and lets the caller refuse them before anything moves', async () => {
    const source = openMemoryPlace()
    const mediaType = mediaTypes.ociManifest
    const config = source.add('application/vnd.example+json', encode({}))
    const file = source.add('text/plain', Buffer.from('hello'))
    const root = source.add(
      mediaType,
      encode({ schemaVersion: 2, mediaType, config, layers: [file] }),
    )
    const place = openMemoryPlace()
    await copyContent(source, place, root)
    expect(await Promise.all([root, config, file].map((one) => place.has(one)))).toEqual([
      true,
      true,
      true,
    ])
    const { target, written } = watch(openMemoryPlace())
    const accept: CopyOptions['accept'] = () => {
      throw new Error('no artifacts here')
    }
    await expect(copyContent(source, target, root, { accept })).rejects.toThrow('no artifacts here')
    expect(written).toEqual([])
  })

  it('leaves foreign layers where they are', async () => {
    const source = openMemoryPlace()
    const foreign = {
      ...describeBytes(Buffer.from('far away')),
      mediaType: mediaTypes.ociForeignLayerGzip,
      urls: ['https://far.example/layer'],
    }
    diffIDs.set(foreign.digest, foreign.digest)
    const root = addImage(source, 'a', [foreign])
    const place = openMemoryPlace()
    await copyContent(source, place, root)
    expect(await place.has(foreign)).toBe(false)
    expect(await place.has(root)).toBe(true)
  })

  it('checks the content hash of a blob for each config that claims one', async () => {
    const source = openMemoryPlace()
    const layer = addLayer(source, 'honest')
    const honest = addImage(source, 'honest', [layer])
    const claimed = diffIDs.get(layer.digest)
    diffIDs.set(layer.digest, describeBytes(Buffer.from('a lie')).digest)
    const liar = addImage(source, 'liar', [layer])
    const asked: (Digest | undefined)[] = []
    const place = openMemoryPlace()
    const target: Target = {
      name: 'asked',
      async has(descriptor, options) {
        if (descriptor.digest === layer.digest) asked.push(options?.diffID)
        return place.has(descriptor)
      },
      write: (...call) => place.write(...call),
    }
    await copyContent(source, target, addIndex(source, [honest, liar]))
    expect(asked).toEqual([claimed, diffIDs.get(layer.digest)])
  })

  it('stops everything at the first failure, and writes nothing above it', async () => {
    const source = openMemoryPlace()
    const layers = Array.from({ length: 8 }, (_, number) => addLayer(source, `layer ${number}`))
    const root = addImage(source, 'a', layers)
    const place = openMemoryPlace()
    const watched = watch(place, async ({ digest }) => {
      if (digest === layers[2]?.digest) throw new Error('disk on fire')
    })
    await expect(copyContent(source, watched.target, root)).rejects.toThrow('disk on fire')
    expect(watched.running()).toBe(0)
    expect(await place.has(root)).toBe(false)
    expect(watched.written.length).toBeLessThan(8)
  })

  it('stops when it is told to', async () => {
    const source = openMemoryPlace()
    const root = addImage(source, 'a', [addLayer(source, 'one'), addLayer(source, 'two')])
    const stop = new AbortController()
    const place = openMemoryPlace()
    const watched = watch(place, async () => stop.abort(new Error('stopped')))
    const copying = copyContent(source, watched.target, root, { signal: stop.signal })
    await expect(copying).rejects.toThrow('stopped')
    expect(await place.has(root)).toBe(false)
    const late = copyContent(source, place, root, {
      signal: AbortSignal.abort(new Error('too late')),
    })
    await expect(late).rejects.toThrow('too late')
  })

  it('refuses content that is not what its descriptor says', async () => {
    const source = openMemoryPlace()
    const root = addImage(source, 'a', [addLayer(source, 'one')])
    const longer = { ...root, size: root.size + 1 }
    await expect(copyContent(source, openMemoryPlace(), longer)).rejects.toMatchObject({
      code: 'SIZE_MISMATCH',
    })
    const lies = {
      ...source,
      open: async () =>
        (async function* () {
          yield new Uint8Array(root.size)
        })(),
    }
    await expect(copyContent(lies, openMemoryPlace(), root)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
  })

  it('refuses a config with another number of layers than its manifest', async () => {
    const source = openMemoryPlace()
    const layer = addLayer(source, 'one')
    const config = source.add(
      mediaTypes.ociConfig,
      encode({ rootfs: { type: 'layers', diff_ids: [] } }),
    )
    const mediaType = mediaTypes.ociManifest
    const root = source.add(
      mediaType,
      encode({ schemaVersion: 2, mediaType, config, layers: [layer] }),
    )
    await expect(copyContent(source, openMemoryPlace(), root)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
    })
  })

  it('follows indexes four deep, no deeper, and graphs of 2,000 documents, no larger', async () => {
    const source = openMemoryPlace()
    const image = addImage(source, 'a', [])
    let root = image
    for (let depth = 0; depth < 3; depth++) root = addIndex(source, [root])
    await copyContent(source, openMemoryPlace(), root)
    const deeper = addIndex(source, [root])
    await expect(copyContent(source, openMemoryPlace(), deeper)).rejects.toMatchObject({
      code: 'GRAPH_LIMIT',
    })
    const many = Array.from({ length: 1001 }, (_, number) =>
      addImage(source, `image ${number}`, []),
    )
    const large = addIndex(source, [
      addIndex(source, many),
      addIndex(
        source,
        many.map((one, n) => addImage(source, `${one.digest} ${n}`, [])),
      ),
    ])
    await expect(copyContent(source, openMemoryPlace(), large)).rejects.toMatchObject({
      code: 'GRAPH_LIMIT',
    })
  })

  it('visits what ten references lead to once', async () => {
    const source = openMemoryPlace()
    let root = addImage(source, 'a', [addLayer(source, 'one')])
    for (let depth = 0; depth < 3; depth++) root = addIndex(source, Array(10).fill(root))
    let opened = 0
    const counting = {
      ...source,
      open: (...call: Parameters<MemoryPlace['open']>) => (opened++, source.open(...call)),
    }
    await copyContent(counting, openMemoryPlace(), root)
    expect(opened).toBe(6)
  })
})
