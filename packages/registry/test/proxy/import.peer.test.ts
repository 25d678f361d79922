import { readdir, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isIndexType, parseManifest } from '@katman/oci'
import { expect, it } from 'vitest'
import { testImages } from '../../../../test/peers/images.ts'
import { describePeers } from '../../../../test/peers/require-peer.ts'
import { startRegistry } from '../../../../test/peers/registry.ts'
import { copyToRegistry, pushRealImages, REAL_IMAGES } from '../../../../test/peers/skopeo.ts'
import { importDistribution } from '../../src/import/import-distribution.ts'
import { importLayout } from '../../src/import/import-layout.ts'
import type { Content } from '../../src/proxy/content.ts'
import { digestOf } from '../support.ts'
import { openTestContent } from './content.ts'

describePeers('import of a docker-registry folder', ['docker-registry', 'skopeo', 'images'], () => {
  it('brings in every image byte for byte while that registry serves, and once more only what is new', async () => {
    await using peer = await startRegistry()
    await pushRealImages(testImages(), peer.host)
    await copyToRegistry(testImages(), 'alpine:3.20', `${peer.host}/deep/er/app:1`)
    await using test = await openTestContent()
    const { content } = test
    const result = await importDistribution(content, peer.dataDirectory)
    expect(result).toMatchObject({ repositories: 4, failures: [] })
    expect(result.movedBlobs).toBeGreaterThan(0)
    let compared = 0
    for (const [repository, tag] of [...REAL_IMAGES.map(split), ['deep/er/app', '1'] as const]) {
      compared += await compare(peer.url, content, repository, tag)
    }
    expect(compared).toBeGreaterThan(20)
    const again = await importDistribution(content, peer.dataDirectory)
    expect(again).toMatchObject({ movedBlobs: 0, movedBytes: 0, failures: [] })
    await copyToRegistry(testImages(), 'busybox:latest', `${peer.host}/new/box:2`)
    const later = await importDistribution(content, peer.dataDirectory, { only: ['new/**'] })
    expect(later).toMatchObject({ repositories: 1, failures: [] })
    await compare(peer.url, content, 'new/box', '2')
  })

  it('shares the files, and refuses those that are damaged without stopping at them', async () => {
    await using peer = await startRegistry()
    await copyToRegistry(testImages(), 'busybox:latest', `${peer.host}/good:1`)
    await copyToRegistry(testImages(), 'alpine:3.12', `${peer.host}/bad:1`)
    const blobs = path.join(peer.dataDirectory, 'docker/registry/v2/blobs/sha256')
    const victim = await largestLayer(peer.url, 'bad', '1')
    const file = path.join(blobs, victim.slice(7, 9), victim.slice(7), 'data')
    await truncate(file, 1000)
    await using test = await openTestContent()
    const result = await importDistribution(test.content, peer.dataDirectory)
    expect(result.failures.map(({ code, repository }) => [repository, code])).toContainEqual([
      'bad',
      'SIZE_MISMATCH',
    ])
    expect(await test.content.tag('bad', '1')).toBeUndefined()
    expect(await test.content.blobSize('bad', victim)).toBeUndefined()
    await compare(peer.url, test.content, 'good', '1')
    const layer = await largestLayer(peer.url, 'good', '1')
    const shared = await stat(path.join(blobs, layer.slice(7, 9), layer.slice(7), 'data'))
    expect(shared.nlink).toBe(2)
  })

  it('leaves what is no repository alone', async () => {
    await using peer = await startRegistry()
    await copyToRegistry(testImages(), 'hello-world:latest', `${peer.host}/hello:1`)
    const tags = path.join(
      peer.dataDirectory,
      'docker/registry/v2/repositories/hello/_manifests/tags',
    )
    await writeFile(path.join(tags, '1/current/link'), '../../../../etc/passwd')
    await using test = await openTestContent()
    const result = await importDistribution(test.content, peer.dataDirectory)
    expect(result.failures).toMatchObject([{ repository: 'hello', reference: '1' }])
    expect(await test.content.tags('hello')).toEqual([])
    await expect(importDistribution(test.content, test.folder)).rejects.toMatchObject({
      code: 'STORAGE_INVALID',
    })
  })
})

describePeers('import of an OCI layout', ['skopeo', 'images'], () => {
  it('brings in its images under their names, and says when two want one tag', async () => {
    await using test = await openTestContent()
    const { content } = test
    const result = await importLayout(content, testImages(), 'team/')
    expect(result).toMatchObject({ failures: [], repositories: 3, images: 4 })
    for (const [repository, tag] of [
      ['team/alpine', '3.20'],
      ['team/alpine', '3.12'],
      ['team/busybox', 'latest'],
      ['team/hello-world', 'latest'],
    ] as const) {
      const found = await content.manifest(repository, tag)
      expect(found && digestOf(found.bytes)).toBe(found?.digest ?? 'missing')
    }
    expect(await importLayout(content, testImages(), 'team/')).toMatchObject({ movedBlobs: 0 })
    const one = await importLayout(content, testImages(), 'all')
    expect(one.failures).toMatchObject([{ reference: 'latest', code: 'LAYOUT_INVALID' }])
    expect((await readdir(path.join(test.folder, 'objects', 'incoming'))).length).toBe(0)
  })
})

function split(name: string): readonly [string, string] {
  const [repository = '', tag = ''] = name.split(':')
  return [`library/${repository}`, tag]
}

/** Compares everything a tag leads to with what the peer serves. How many contents were the same. */
async function compare(
  url: string,
  content: Content,
  repository: string,
  reference: string,
): Promise<number> {
  const found = await content.manifest(repository, reference)
  if (found === undefined) throw new Error(`${repository}:${reference} is missing`)
  const response = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    headers: { accept: `${found.mediaType}, */*` },
  })
  expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.from(found.bytes))
  expect(response.headers.get('content-type')).toBe(found.mediaType)
  const document = parseManifest(found.bytes, found.mediaType)
  let count = 1
  if (document.kind === 'index') {
    for (const child of document.manifests) {
      count += await compare(url, content, repository, child.digest)
    }
    return count
  }
  for (const blob of [document.config, ...document.layers]) {
    const chunks: Uint8Array[] = []
    const range = { start: 0, end: blob.size }
    for await (const chunk of content.openBlob(repository, blob.digest, range)) chunks.push(chunk)
    expect(digestOf(Buffer.concat(chunks))).toBe(blob.digest)
    count++
  }
  return count
}

async function largestLayer(url: string, repository: string, reference: string) {
  const accept =
    'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json'
  const response = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    headers: { accept },
  })
  const type = response.headers.get('content-type') ?? ''
  const document = parseManifest(Buffer.from(await response.arrayBuffer()), type)
  if (document.kind === 'index') {
    const [child] = document.manifests
    if (child === undefined || isIndexType(child.mediaType)) throw new Error('no image')
    return largestLayer(url, repository, child.digest)
  }
  const [layer] = document.layers.toSorted((left, right) => right.size - left.size)
  if (layer === undefined) throw new Error('no layer')
  return layer.digest
}
