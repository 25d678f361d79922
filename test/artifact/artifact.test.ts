import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage } from '../hostile/hostile-image.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
let registry: RegistryServer
let folderBefore: string
beforeEach(async () => {
  katman = await openProgram()
  const storage = await openMemoryStorage()
  await addImage(storage)
  registry = await serveRegistry({ storage })
  // Names of files are relative to where one is.
  folderBefore = process.cwd()
  process.chdir(katman.folder)
})
afterEach(async () => {
  process.chdir(folderBefore)
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const run = async (...words: readonly string[]): Promise<string> => {
  const result = await katman.run(...words)
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0 })
  return result.stdout
}
const name = (rest: string): string => `${registry.host}/team/files${rest}`

describe('katman artifact', () => {
  it('pushes files with types and annotations, lists and pulls them', async () => {
    await writeFile('report.json', '{"ok":true}')
    await writeFile('note', 'hello')
    await mkdir('site/css', { recursive: true })
    await writeFile('site/css/main.css', 'a{}')
    await writeFile(
      'annotations.json',
      JSON.stringify({ $manifest: { team: 'a' }, $config: { c: 'd' }, note: { lang: 'en' } }),
    )
    const type = 'application/vnd.example.report'
    const pushed = await run(
      'artifact',
      'push',
      '--artifact-type',
      type,
      '-a',
      'more=x=y',
      '--annotation-file',
      'annotations.json',
      name(':1,stable'),
      'report.json:application/json',
      'note',
      'site',
    )
    const digest = /^Digest: (.*)$/m.exec(pushed)?.[1] ?? ''
    expect(pushed).toBe(`Pushed ${name(':1,stable')}\nArtifactType: ${type}\nDigest: ${digest}\n`)
    const manifest: unknown = JSON.parse(
      await run('buildx', 'imagetools', 'inspect', '--raw', name(':stable')),
    )
    expect(manifest).toMatchObject({
      artifactType: type,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', annotations: { c: 'd' } },
      layers: [
        { mediaType: 'application/json' },
        { mediaType: 'application/vnd.oci.image.layer.v1.tar', annotations: { lang: 'en' } },
        { annotations: { 'io.deis.oras.content.unpack': 'true' } },
      ],
      annotations: {
        'org.opencontainers.image.created': '2026-02-03T04:05:06Z',
        team: 'a',
        more: 'x=y',
      },
    })
    const listed = await run('artifact', 'ls', name(':1'))
    expect(listed).toMatch(/^NAME +MEDIA TYPE +SIZE +DIGEST\nreport.json +application\/json +11B/)
    expect(await run('artifact', 'ls', '-q', name(':1'))).toBe('report.json\nnote\nsite\n')
    const pulled = await run('artifact', 'pull', '-o', 'out', name(`@${digest}`))
    expect(pulled).toBe(`Pulled ${name(`@${digest}`)}: 3 files\nDigest: ${digest}\n`)
    expect(await readFile('out/site/css/main.css', 'utf8')).toBe('a{}')
    expect(await readFile('out/report.json', 'utf8')).toBe('{"ok":true}')
  })

  it('attaches files to an image and to a tag, which referrers shows', async () => {
    await writeFile('sbom.json', '{}')
    const image = `${registry.host}/team/app:latest`
    const attached = await run(
      'artifact',
      'attach',
      '--artifact-type',
      'application/spdx+json',
      image,
      'sbom.json:application/spdx+json',
    )
    expect(attached).toMatch(/^Attached to .*\/team\/app@sha256:[0-9a-f]{64}\nDigest: sha256:/)
    await run(
      'artifact',
      'push',
      '--subject',
      'latest',
      '--artifact-type',
      'application/scan',
      `${registry.host}/team/app`,
      'sbom.json',
    )
    const tree = await run('referrers', image)
    expect(tree).toContain('application/spdx+json  sha256:')
    expect(tree).toContain('application/scan  sha256:')
  })

  it('works with a layout, a config and without files', async () => {
    await writeFile('config', '{"a":1}')
    await run('artifact', 'push', '--config', 'config:application/x', 'oci:layout:v1')
    expect(await run('artifact', 'pull', '-q', '-o', 'none', 'oci:layout:v1')).toMatch(/^sha256:/)
    expect(await run('artifact', 'ls', '-q', 'oci:layout:v1')).toBe('<none>\n')
  })

  it.each([
    [['push', 'NAME:1', '/etc/hostname'], 'it is absolute'],
    [['push', 'NAME:1', 'no:such file type'], 'no media type'],
    [['push', '-a', 'x', 'NAME:1', 'f'], 'write KEY=VALUE'],
    [['push', '--annotation-file', 'gone', 'NAME:1', 'f'], '--annotation-file gone: '],
    [['push', '--subject', 'other/app:1', 'NAME:1', 'f'], 'of the same repository'],
    [['push', 'docker-archive:x.tar', 'f'], 'artifacts go to registries and to OCI layouts'],
    [['attach', 'NAME:1', 'f'], 'say what it is with --artifact-type'],
    [['pull', 'NAME:none'], 'manifest unknown'],
  ])('refuses %j', async (words, message) => {
    const typed = words.map((word) => word.replace('NAME', name('')))
    const { exitCode, stderr } = await katman.run('artifact', ...typed)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(message)
  })
})
