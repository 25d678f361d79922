import path from 'node:path'
import { cosignTag, type Descriptor, mediaTypes } from '@katman/oci'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { createRemote, defaultSettings, type Remote } from '@katman/remote'
import { copyContent, type MemoryPlace, openMemoryPlace } from '@katman/transfer'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addReferrer } from '../../packages/transfer/test/referrer-suite.ts'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
let registry: RegistryServer
let remote: Remote
let index: Descriptor
let image: Descriptor
let sbom: Descriptor
let sbomSignature: Descriptor
let scan: Descriptor
let cosigned: Descriptor

const sbomType = 'application/spdx+json'

beforeEach(async () => {
  katman = await openProgram()
  const storage = await openMemoryStorage()
  registry = await serveRegistry({ storage })
  remote = createRemote({
    settings: defaultSettings,
    credentials: { get: async () => undefined },
    userAgent: 'katman-test',
  })
  const repository = remote.repository({ registry: registry.host, repository: 'team/app' })
  image = (await addImage(storage)).manifest
  const place = openMemoryPlace()
  const attestation = addStatement(place)
  await copyContent(place, repository, attestation)
  index = await addIndex(storage, [
    { ...image, platform },
    {
      ...attestation,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': image.digest,
      },
    },
  ])
  sbom = addReferrer(place, index, sbomType)
  sbomSignature = addReferrer(place, sbom, 'application/signature')
  scan = addReferrer(place, image, 'application/scan\u001b[31m')
  cosigned = addStatement(place, 'cosign')
  for (const one of [sbom, sbomSignature, scan, cosigned]) {
    await copyContent(place, repository, one)
  }
  await repository.tag(cosignTag(index.digest, 'att'), cosigned)
})
afterEach(async () => {
  await remote[Symbol.asyncDispose]()
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const name = (): string => `${registry.host}/team/app:latest`
const run = async (...words: readonly string[]): Promise<string> => {
  const result = await katman.run(...words)
  expect(result, words.join(' ') + result.stderr).toMatchObject({ exitCode: 0 })
  return result.stdout
}

describe('referrers', () => {
  it('shows the tree: by subject, by tag, in the index, and what refers to that', async () => {
    const lines = (await run('referrers', name())).split('\n')
    expect(lines[0]).toBe(`${registry.host}/team/app@${index.digest}`)
    expect(lines[1]).toMatch(`├── ${sbomType}  ${sbom.digest}  `)
    expect(lines[2]).toMatch(`│   └── application/signature  ${sbomSignature.digest}  `)
    expect(lines[3]).toMatch(`├── attestations (cosign)  ${cosigned.digest}  `)
    expect(lines[3]).toContain(`, tag ${cosignTag(index.digest, 'att')}`)
    expect(lines[4]).toBe('│   └── https://slsa.dev/provenance/v1')
    expect(lines[5]).toBe(`└── linux/amd64  ${image.digest}`)
    const below = lines.slice(6).join('\n')
    expect(below).toContain(`application/scan\\x1b[31m  ${scan.digest}`)
    expect(below).toMatch(
      / {4}└── attestations \(BuildKit\) .*, in the index\n {8}└── https:\/\/slsa/,
    )
  })

  it('gives the same as JSON, and chooses by type', async () => {
    const all: unknown = JSON.parse(await run('referrers', '--format', 'json', name()))
    expect(all).toMatchObject({
      digest: index.digest,
      referrers: [
        { digest: sbom.digest, by: 'subject', referrers: [{ digest: sbomSignature.digest }] },
        { digest: cosigned.digest, by: 'tag' },
      ],
      manifests: [{ digest: image.digest, platform: 'linux/amd64' }],
    })
    const typed: unknown = JSON.parse(
      await run('referrers', '--format', 'json', '--artifact-type', sbomType, name()),
    )
    expect(typed).toMatchObject({ referrers: [{ digest: sbom.digest }], manifests: [] })
  })

  it('says so when there is nothing, and refuses a place that cannot know', async () => {
    await run('cp', '-q', name(), `${registry.host}/bare/app:1`)
    const bare = await katman.run(
      'referrers',
      '--artifact-type',
      'x',
      `${registry.host}/bare/app:1`,
    )
    expect(bare).toMatchObject({ exitCode: 0, stderr: 'Nothing refers to it.\n' })
    const archive = `docker-archive:${path.join(katman.folder, 'a.tar')}`
    await run('cp', '-q', name(), archive)
    const refused = await katman.run('referrers', archive)
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toContain('does not know what refers to its images')
    expect(await katman.run('cp', '--referrers', name(), archive)).toMatchObject({ exitCode: 1 })
  })
})

describe('cp, pull and push with --referrers', () => {
  const tree = async (place: string): Promise<string> =>
    (await run('referrers', place)).split('\n').slice(1).join('\n')

  it('copy the whole tree between registries and layouts, with what cosign attached by tags', async () => {
    const layout = `oci:${path.join(katman.folder, 'layout')}`
    await run('cp', '--referrers', name(), `${layout}:app`)
    // Of a layout with one image its name need not be said, whatever refers to it.
    const other = `${registry.host}/other/app:1`
    await run('cp', '--referrers', layout, other)
    for (const place of [layout, other]) {
      expect((await tree(place)).split('\n').toSorted(), place).toEqual(
        (await tree(name())).split('\n').toSorted(),
      )
    }
  })

  it('leave a layout that is loaded as the image it is', async () => {
    const layout = path.join(katman.folder, 'layout')
    await run('cp', '--referrers', name(), `oci:${layout}:app`)
    const loaded = await run('load', '-i', layout)
    expect(loaded).toMatch(/^Loaded image/)
    expect(loaded.trim().split('\n')).toHaveLength(1)
  })

  it('bring them into the store and from there to another repository', async () => {
    const pulled = await run('pull', '--referrers', name())
    expect(pulled).toContain(`${sbom.digest.slice(7, 19)}: Referrer ${sbomType}`)
    const stored = await run('referrers', `store:${name()}`)
    for (const one of [sbom, sbomSignature, scan]) expect(stored).toContain(one.digest)
    const again = `${registry.host}/again/app:1`
    await run('tag', name(), again)
    expect(await run('push', again)).not.toContain('Referrer')
    expect(await run('push', '--referrers', again)).toContain('Referrer application/scan\\x1b[31m')
    // One image of the index was pulled, so that one was pushed.
    expect(await run('referrers', again)).toContain(scan.digest)
    expect(await run('gc', '--min-age', '0s')).not.toContain(sbom.digest)
  })
})

describe('what cosign attached by tags', () => {
  it('travels through the store: pull --referrers, gc, push --referrers', async () => {
    const tag = cosignTag(index.digest, 'att')
    expect(await run('pull', '--platform', 'all', '--referrers', name())).toContain(
      `${cosigned.digest.slice(7, 19)}: Referrer ${tag}`,
    )
    expect(await run('referrers', `store:${name()}`)).toContain(`tag ${tag}`)
    await run('gc', '--min-age', '0s')
    expect(await run('fsck', '--hash')).toMatch(/clean\n$/)
    const again = `${registry.host}/again/app:1`
    await run('tag', name(), again)
    await run('push', '--referrers', again)
    expect(await run('referrers', again)).toContain(`tag ${tag}`)
  })

  it('travels with cp into the store and out of it', async () => {
    await run('cp', '-q', '--referrers', name(), 'store:local/app:1')
    const again = `${registry.host}/again/app:1`
    await run('cp', '-q', '--referrers', 'store:local/app:1', again)
    expect(await run('referrers', again)).toContain(`tag ${cosignTag(index.digest, 'att')}`)
  })
})

describe('push --referrers', () => {
  it('pushes what refers to an image that was pushed before', async () => {
    await run('pull', '--platform', 'all', '--referrers', name())
    expect(await run('fsck', '--hash')).toMatch(/clean\n$/)
    const again = `${registry.host}/again/app:1`
    await run('tag', name(), again)
    await run('push', again)
    expect(await run('referrers', again)).not.toContain(sbom.digest)
    await run('push', '--referrers', again)
    expect(await run('referrers', again)).toContain(sbomSignature.digest)
  })
})

/** A manifest with one in-toto statement, as BuildKit makes it. */
function addStatement(place: MemoryPlace, builder = 'buildkit'): Descriptor {
  const layer = place.add('application/vnd.in-toto+json', Buffer.from(`{"by":"${builder}"}`), {
    annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' },
  })
  const config = place.add(
    mediaTypes.ociConfig,
    Buffer.from(
      JSON.stringify({
        os: 'unknown',
        architecture: 'unknown',
        rootfs: { type: 'layers', diff_ids: [layer.digest] },
      }),
    ),
  )
  const mediaType = mediaTypes.ociManifest
  const document = { schemaVersion: 2, mediaType, config, layers: [layer] }
  return place.add(mediaType, Buffer.from(JSON.stringify(document)))
}
