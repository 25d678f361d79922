import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import {
  addImage,
  codesOf,
  digestOf,
  imageDocument,
  startRegistry,
  storages,
  streamed,
} from './support.ts'

const unknown = digestOf('nobody pushed this')

describe.each(storages)('manifests in %s', (kind) => {
  it('are served by tag and digest with exact bytes and stored media type', async () => {
    await using registry = await startRegistry(kind)
    const document = await imageDocument(registry, 'app', 'one')
    const text = JSON.stringify(document, null, 3)
    const pushed = await registry.send('PUT', 'app/manifests/1.0', {
      headers: { 'content-type': mediaTypes.ociManifest },
      body: text,
    })
    const digest = digestOf(text)
    expect(pushed.status).toBe(201)
    expect(pushed.headers.get('docker-content-digest')).toBe(digest)
    expect(pushed.headers.get('location')).toBe(`/v2/app/manifests/${digest}`)
    for (const reference of ['1.0', digest, digest.replace(':', '%3A')]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await registry.send(method, `app/manifests/${reference}`)
        expect(response.status).toBe(200)
        expect(response.headers.get('content-type')).toBe(mediaTypes.ociManifest)
        expect(response.headers.get('content-length')).toBe(String(text.length))
        expect(response.headers.get('docker-content-digest')).toBe(digest)
        expect(await response.text()).toBe(method === 'GET' ? text : '')
      }
    }
  })

  it('may be pushed by digest, sha512 too, and by no wrong one', async () => {
    await using registry = await startRegistry(kind)
    const document = await imageDocument(registry, 'app', 'one')
    const text = JSON.stringify(document)
    for (const algorithm of ['sha256', 'sha512']) {
      const digest = digestOf(text, algorithm)
      expect((await registry.addManifest('app', digest, document)).status).toBe(201)
      const response = await registry.send('GET', `app/manifests/${digest}`)
      expect(await response.text()).toBe(text)
    }
    const wrong = await registry.addManifest('app', unknown, document)
    expect(wrong.status).toBe(400)
    expect(await codesOf(wrong)).toEqual(['DIGEST_INVALID'])
    expect((await registry.send('HEAD', `app/manifests/${unknown}`)).status).toBe(404)
  })

  it('move with their tag', async () => {
    await using registry = await startRegistry(kind)
    const first = await addImage(registry, 'app', 'latest', 'one')
    const second = await addImage(registry, 'app', 'latest', 'two')
    const response = await registry.send('HEAD', 'app/manifests/latest')
    expect(response.headers.get('docker-content-digest')).toBe(second)
    expect((await registry.send('HEAD', `app/manifests/${first}`)).status).toBe(200)
  })

  it('lose a tag, or all of them with the manifest', async () => {
    await using registry = await startRegistry(kind)
    const digest = await addImage(registry, 'app', 'a', 'one')
    await addImage(registry, 'app', 'b', 'one')
    const other = await addImage(registry, 'app', 'c', 'two')
    expect((await registry.send('DELETE', 'app/manifests/a')).status).toBe(202)
    expect((await registry.send('HEAD', 'app/manifests/a')).status).toBe(404)
    expect((await registry.send('HEAD', 'app/manifests/b')).status).toBe(200)
    expect((await registry.send('DELETE', `app/manifests/${digest}`)).status).toBe(202)
    for (const reference of ['a', 'b', digest]) {
      expect((await registry.send('HEAD', `app/manifests/${reference}`)).status).toBe(404)
      const again = await registry.send('DELETE', `app/manifests/${reference}`)
      expect(again.status).toBe(404)
      expect(await codesOf(again)).toEqual(['MANIFEST_UNKNOWN'])
    }
    const left = await registry.send('HEAD', 'app/manifests/c')
    expect(left.headers.get('docker-content-digest')).toBe(other)
  })

  it('wait for what they point to', async () => {
    await using registry = await startRegistry(kind)
    const image = await imageDocument(registry, 'elsewhere', 'one')
    const missing = await registry.addManifest('app', '1', image)
    expect(missing.status).toBe(400)
    expect(await codesOf(missing)).toEqual(['MANIFEST_BLOB_UNKNOWN'])
    const index = {
      schemaVersion: 2,
      manifests: [{ mediaType: mediaTypes.ociManifest, digest: unknown, size: 3 }],
    }
    const refused = await registry.addManifest('app', '1', index, mediaTypes.ociIndex)
    expect(await codesOf(refused)).toEqual(['MANIFEST_BLOB_UNKNOWN'])
    expect((await registry.send('HEAD', 'app/manifests/1')).status).toBe(404)
  })

  it('may point to layers that are kept elsewhere', async () => {
    await using registry = await startRegistry(kind)
    const image = await imageDocument(registry, 'app', 'one')
    const foreign = { mediaType: mediaTypes.dockerForeignLayerGzip, digest: unknown, size: 3 }
    const response = await registry.addManifest('app', '1', { ...image, layers: [foreign] })
    expect(response.status).toBe(201)
  })

  it('are refused when two readers could read them differently', async () => {
    await using registry = await startRegistry(kind)
    const image = await imageDocument(registry, 'app', 'one')
    const faults: [object, string][] = [
      [{ ...image, manifests: [] }, mediaTypes.ociManifest],
      [image, mediaTypes.ociIndex],
      [image, mediaTypes.dockerManifest],
      [image, 'application/json'],
      [image, mediaTypes.dockerManifestV1Signed],
      [{ ...image, schemaVersion: 1 }, mediaTypes.ociManifest],
    ]
    for (const [document, mediaType] of faults) {
      const response = await registry.addManifest('app', '1', document, mediaType)
      expect(response.status).toBe(400)
      expect(await codesOf(response)).toEqual(['MANIFEST_INVALID'])
    }
    const broken = await registry.send('PUT', 'app/manifests/1', {
      headers: { 'content-type': mediaTypes.ociManifest },
      body: '{"schemaVersion":2,',
    })
    expect(await codesOf(broken)).toEqual(['MANIFEST_INVALID'])
    expect((await registry.send('HEAD', 'app/manifests/1')).status).toBe(404)
  })

  it('keep the type they came with', async () => {
    await using registry = await startRegistry(kind)
    const image = { ...(await imageDocument(registry, 'app', 'one')), mediaType: undefined }
    const first = await registry.addManifest('app', '1', image, mediaTypes.dockerManifest)
    expect(first.status).toBe(201)
    const second = await registry.addManifest('app', '2', image, mediaTypes.ociManifest)
    expect(second.status).toBe(400)
    expect(await codesOf(second)).toEqual(['MANIFEST_INVALID'])
  })

  it('have at most 4 MiB', async () => {
    await using registry = await startRegistry(kind)
    const image = await imageDocument(registry, 'app', 'one')
    const empty = JSON.stringify({ ...image, annotations: { text: '' } }).length
    const text = (size: number): object => ({
      ...image,
      annotations: { text: 'x'.repeat(size - empty) },
    })
    const limit = 4 * 1024 * 1024
    expect((await registry.addManifest('app', 'fits', text(limit))).status).toBe(201)
    const response = await registry.addManifest('app', 'large', text(limit + 1))
    expect(response.status).toBe(413)
    expect(await codesOf(response)).toEqual(['SIZE_INVALID'])
    async function* bytes(): AsyncIterable<Uint8Array> {
      yield Buffer.from(JSON.stringify(text(limit + 1)))
    }
    const init = { ...streamed(bytes()), headers: { 'content-type': mediaTypes.ociManifest } }
    expect((await registry.send('PUT', 'app/manifests/large', init)).status).toBe(413)
  })

  it('name their subject, whether it is there or not', async () => {
    await using registry = await startRegistry(kind)
    const image = await imageDocument(registry, 'app', 'one')
    const refers = (type: string): object => ({
      ...image,
      artifactType: type,
      subject: { mediaType: mediaTypes.ociManifest, digest: unknown, size: 3 },
      annotations: { type },
    })
    const none = await registry.send('GET', `app/referrers/${unknown}`)
    expect(none.status).toBe(200)
    expect(await none.json()).toMatchObject({ schemaVersion: 2, manifests: [] })

    const [sbom, signature] = ['application/sbom', 'application/signature']
    const pushed = await registry.addManifest('app', 'sbom', refers(sbom))
    expect(pushed.headers.get('oci-subject')).toBe(unknown)
    await registry.addManifest('app', 'signature', refers(signature))
    const both = await registry.send('GET', `app/referrers/${unknown}`)
    expect(both.headers.get('content-type')).toBe(mediaTypes.ociIndex)
    expect(both.headers.get('oci-filters-applied')).toBeNull()
    expect(await artifactTypes(both)).toEqual([sbom, signature])

    const filter = new URLSearchParams({ artifactType: sbom }).toString()
    const one = await registry.send('GET', `app/referrers/${unknown}?${filter}`)
    expect(one.headers.get('oci-filters-applied')).toBe('artifactType')
    const text = JSON.stringify(refers(sbom))
    expect(await one.json()).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [
        {
          mediaType: mediaTypes.ociManifest,
          digest: digestOf(text),
          size: text.length,
          artifactType: sbom,
          annotations: { type: sbom },
        },
      ],
    })
    await registry.send('DELETE', `app/manifests/${digestOf(text)}`)
    const left = await registry.send('GET', `app/referrers/${unknown}`)
    expect(await artifactTypes(left)).toEqual([signature])
  })
})

async function artifactTypes(response: Response): Promise<readonly string[]> {
  const document: unknown = await response.json()
  return [...JSON.stringify(document).matchAll(/"artifactType":"([^"]*)"/g)]
    .map((match) => match[1] ?? '')
    .toSorted()
}
