import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type Descriptor, mediaTypes } from '@katman/oci'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeBytes, opener } from '../test/target-suite.ts'
import { openOciLayout } from './oci-layout.ts'
import { readVerified } from './verify.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katman-layout-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const bytes = Buffer.from('hello')
const blob = { ...describeBytes(bytes), mediaType: mediaTypes.ociManifest }
const file = (descriptor: Descriptor): string =>
  path.join(folder, 'blobs', ...descriptor.digest.split(':'))

describe('openOciLayout', () => {
  it('makes a layout that others can read', async () => {
    const layout = await openOciLayout(folder, { create: true })
    await layout.write(blob, opener(bytes))
    await layout.tag('1.0', blob)
    expect(JSON.parse(await readFile(path.join(folder, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    })
    expect(JSON.parse(await readFile(path.join(folder, 'index.json'), 'utf8'))).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [{ ...blob, annotations: { 'org.opencontainers.image.ref.name': '1.0' } }],
    })
    expect(await readFile(file(blob))).toEqual(bytes)
    expect(await (await openOciLayout(folder)).resolve('1.0')).toMatchObject(blob)
  })

  it('moves a tag, keeps the others, and takes many at once', async () => {
    const layout = await openOciLayout(folder, { create: true })
    const other = { ...describeBytes(Buffer.from('other')), mediaType: mediaTypes.ociManifest }
    await Promise.all(['a', 'b', 'c', 'd'].map((tag) => layout.tag(tag, blob)))
    await layout.tag('b', other)
    expect(await layout.resolve('b')).toMatchObject(other)
    for (const tag of ['a', 'c', 'd']) expect(await layout.resolve(tag)).toMatchObject(blob)
    expect(await layout.entries()).toHaveLength(4)
  })

  it('loses no tag when two processes tag it at once', async () => {
    const layout = await openOciLayout(folder, { create: true })
    await layout.write(blob, opener(bytes))
    const code = `
      import { openOciLayout } from ${JSON.stringify(path.join(import.meta.dirname, 'oci-layout.ts'))}
      const [folder, descriptor, name] = JSON.parse(process.argv[1])
      const layout = await openOciLayout(folder, { create: true })
      for (let at = 0; at < 20; at++) await layout.tag(name + at, descriptor)`
    const tagging = ['a', 'b', 'c'].map((name) =>
      promisify(execFile)(process.execPath, [
        '--input-type=module',
        '--eval',
        code,
        JSON.stringify([folder, blob, name]),
      ]),
    )
    await Promise.all(tagging)
    expect(await layout.entries()).toHaveLength(60)
  })

  it('puts the right bytes in the place of a damaged blob', async () => {
    const layout = await openOciLayout(folder, { create: true })
    await layout.write(blob, opener(bytes))
    await writeFile(file(blob), 'hel')
    expect(await layout.has(blob)).toBe(false)
    await layout.write(blob, opener(bytes))
    expect(await readVerified(layout, blob)).toEqual(bytes)
  })

  it('opens a file when it is read, so that nothing is left when it never is', async () => {
    const layout = await openOciLayout(folder, { create: true })
    await layout.write(blob, opener(bytes))
    const stop = new AbortController()
    const stream = await layout.open(blob, { signal: stop.signal })
    stop.abort(new Error('stopped'))
    // A stream that fails with nobody to hear it would end the program here.
    await new Promise((resolve) => setImmediate(resolve))
    await expect(Array.fromAsync(stream)).rejects.toThrow('stopped')
  })

  it('leaves no unfinished file behind', async () => {
    const layout = await openOciLayout(folder, { create: true })
    await expect(layout.write(blob, opener(Buffer.from('wrong')))).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    })
    expect(await readdir(path.join(folder, 'blobs', 'sha256'))).toEqual([])
  })

  it.each([
    ['no marker', {}],
    ['another version', { 'oci-layout': '{"imageLayoutVersion":"2.0.0"}' }],
    ['a marker that is no JSON', { 'oci-layout': 'x' }],
    ['a marker that is null', { 'oci-layout': 'null' }],
  ])('refuses a folder with %s', async (_, files) => {
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text)
    await expect(openOciLayout(folder)).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
  })

  it.each([
    ['no index', undefined, 'LAYOUT_INVALID'],
    ['an index that is no JSON', '[', 'JSON_INVALID'],
    [
      'an index with a path for a digest',
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...blob, digest: 'sha256:../../x' }] }),
      'MANIFEST_INVALID',
    ],
    ['an index of 5 MiB', ' '.repeat(5 * 1024 * 1024), 'LAYOUT_INVALID'],
  ])('refuses %s', async (_, index, code) => {
    const layout = await openOciLayout(folder, { create: true })
    const where = path.join(folder, 'index.json')
    if (index === undefined) await rm(where)
    else await writeFile(where, index)
    await expect(layout.entries()).rejects.toMatchObject({ code })
  })

  it('does not follow links out of itself', async () => {
    const layout = await openOciLayout(folder, { create: true })
    const secret = path.join(folder, 'secret')
    await writeFile(secret, bytes)
    await symlink(secret, file(blob))
    expect(await layout.has(blob)).toBe(false)
    await expect(readVerified(layout, blob)).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
    await rm(file(blob))
    await mkdir(file(blob))
    await expect(readVerified(layout, blob)).rejects.toMatchObject({ code: 'LAYOUT_INVALID' })
  })

  it('finds a flipped byte when it is read', async () => {
    const layout = await openOciLayout(folder, { create: true })
    await layout.write(blob, opener(bytes))
    await writeFile(file(blob), 'hallo')
    await expect(readVerified(layout, blob)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  })

  it('names what is not there', async () => {
    const layout = await openOciLayout(folder, { create: true })
    await expect(layout.resolve('nope')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    await expect(readVerified(layout, blob)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' })
  })
})
