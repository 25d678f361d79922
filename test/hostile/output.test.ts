import { gzipSync } from 'node:zlib'
import { tarBytes } from '@katman/layer'
import { mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { refusal } from './faults.ts'
import { addDocument, addIndex, digestOf, type ImageOptions, platform } from './hostile-image.ts'
import { type PullSetup, setUp } from './pull-setup.ts'
import { type ProgramRun, runInTerminal } from './run-program.ts'

/** Clears the screen, sets the title, changes the direction of writing, hides; in 7 and in 8 bits. */
const evil = 'EVIL\u001b[2J\u001b]0;title\u0007\u009b31m\u202egnp.exe\u200b\u0000\rover\u0085END'
/** What a terminal would obey or not show, but for the ends of lines and what the program itself draws. */
const dangerous =
  // oxlint-disable-next-line no-control-regex -- these are what must not get through
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

describe('a terminal is not reached by', () => {
  it.each([
    ['pull'],
    ['pull --all-tags'],
    ['pull --quiet'],
    ['tags'],
    ['manifest inspect'],
    ['buildx imagetools inspect'],
    ['layers'],
  ])('error texts of a registry: %s', async (command) => {
    await using setup = await setUp()
    const { registry } = setup
    const words = command.split(' ')
    const isRepository = words.includes('tags') || words.includes('--all-tags')
    const name = `${registry.host}/team/app${isRepository ? '' : ':latest'}`
    for (const [status, code] of [
      [403, 'DENIED'],
      [403, evil],
      [400, 'UNKNOWN'],
      [401, 'UNAUTHORIZED'],
      [404, 'MANIFEST_UNKNOWN'],
      [404, 'NAME_UNKNOWN'],
    ] as const) {
      registry.behave()
      registry.disturb(/manifests|blobs|tags/, refusal(status, code, evil))
      await expectClean(setup, [...words, name])
      registry.behave()
      registry.disturb(/manifests|blobs|tags/, ({ send }) => {
        send({ status, headers: {}, body: Buffer.from(evil) })
      })
      await expectClean(setup, [...words, name])
    }
  })

  it('challenges, redirects and headers of a registry', async () => {
    await using setup = await setUp()
    const { registry } = setup
    const eightBits = Buffer.from('\u009b31m\u001b[2J', 'latin1').toString('latin1')
    for (const headers of [
      { 'www-authenticate': `Bearer realm="http://x/${eightBits}",service="${eightBits}"` },
      { 'www-authenticate': `Bearer realm="${eightBits}"` },
      { 'www-authenticate': `Basic realm="${eightBits}"` },
      { location: `http://127.0.0.1:1/${eightBits}` },
      { location: `${eightBits}://x` },
    ]) {
      registry.behave()
      const status = 'location' in headers ? 307 : 401
      registry.disturb(/manifests/, ({ send }) => {
        send({ status, headers: { ...headers, 'content-length': '0' }, body: Buffer.alloc(0) })
      })
      await expectClean(setup, ['pull', `${registry.host}/team/app:latest`])
      await expectClean(setup, ['manifest', 'inspect', `${registry.host}/team/app:latest`])
    }
  })

  it.each(documents())('a document with %s', async (_, add) => {
    await using setup = await setUp()
    await add(setup)
    const name = `${setup.registry.host}/team/app:odd`
    for (const words of [
      ['pull', name],
      ['pull', '--platform', 'all', name],
      ['manifest', 'inspect', name],
      ['manifest', 'inspect', '--verbose', name],
      ['buildx', 'imagetools', 'inspect', name],
      ['layers', name],
      ['tags', '--platform', 'linux/arm64', name.replace(/:odd$/, '')],
    ]) {
      await runClean(setup, words)
    }
  })

  it('what an image says of itself', async () => {
    await using setup = await setUp({ config: evilConfig, layer: evilLayer() })
    const name = `${setup.registry.host}/team/app:latest`
    const shown: string[] = []
    for (const words of [
      ['layers', '--files', name],
      ['buildx', 'imagetools', 'inspect', name],
      ['manifest', 'inspect', '--verbose', name],
      ['pull', name],
      ['images'],
      ['images', '--tree'],
      ['image', 'ls', '--digests', '--format', '{{json .}}'],
      ['inspect', name],
      ['image', 'inspect', name],
      ['history', name],
      ['history', '--no-trunc', name],
      ['history', '--format', '{{.CreatedBy}} {{.Comment}}', name],
      ['layers', '--files', name],
      ['layers', name],
      ['system', 'df', '-v'],
      ['fsck'],
      ['image', 'prune', '--all', '--force'],
    ]) {
      const run = await runClean(setup, words)
      expect(`${words.join(' ')}: ${run.exitCode} ${run.stderr}`).toMatch(/: 0 /)
      shown.push(run.stdout)
    }
    // It is shown all the same, made harmless.
    expect(shown.join('\n')).toContain('EVIL')
  })
})

const evilConfig = {
  author: evil,
  created: '2026-01-01T00:00:00Z',
  config: {
    Cmd: [evil],
    Entrypoint: [evil],
    Env: [`A=${evil}`],
    Labels: { [evil]: evil },
    User: evil,
    WorkingDir: evil,
    ExposedPorts: { [evil]: {} },
    Volumes: { [evil]: {} },
    StopSignal: evil,
  },
  history: [
    { created: '2026-01-01T00:00:00Z', created_by: evil, comment: evil, author: evil },
    { created: '2026-01-01T00:00:00Z', created_by: `RUN ${evil}`, comment: evil },
  ],
}

function evilLayer(): NonNullable<ImageOptions['layer']> {
  const name = evil.replaceAll('\0', '')
  const tar = tarBytes([
    { name: `usr/${name}`, content: 'x' },
    { name: 'link', type: 'symlink', linkname: name },
  ])
  return { bytes: gzipSync(tar), diffID: digestOf(tar) }
}

type Add = (setup: PullSetup) => Promise<unknown>

/** Documents that are wrong in a way whose message names the wrong text, or that say odd things. */
function documents(): readonly [string, Add][] {
  const empty = { size: 2, digest: digestOf(Buffer.from('{}')) }
  const windows = { os: 'windows', architecture: 'amd64', 'os.version': evil }
  const twice = `${JSON.stringify(evil)}:1`
  return [
    ['a media type of its own', index({ schemaVersion: 2, mediaType: evil, manifests: [] })],
    ['a key twice', raw(`{"schemaVersion":2,${twice},${twice},"manifests":[]}`)],
    ['a key in another case', index({ schemaVersion: 2, Manifests: [evil], manifests: [] })],
    ['a value of the wrong kind', index({ schemaVersion: evil, manifests: evil })],
    ['an odd platform', entry({ platform: { os: evil, architecture: evil, variant: evil } })],
    ['an odd operating system version', entry({ platform: windows })],
    ['an odd entry type', entry({ mediaType: evil })],
    ['an odd digest', entry({ digest: `sha256:${evil}` })],
    ['an odd annotation', entry({ annotations: { [evil]: evil }, platform })],
    [
      'an odd artifact type',
      manifest({ artifactType: evil, config: { ...empty, mediaType: evil } }),
    ],
    ['an odd layer type', manifest({ layers: [{ ...empty, mediaType: evil }] })],
    ['odd manifest annotations', manifest({ annotations: { [evil]: evil } })],
    ['text that is no JSON', raw(evil)],
  ]
}

function index(document: object): Add {
  return ({ registry }) => addDocument(registry.storage, mediaTypes.ociIndex, document, 'odd')
}

/** An index with one entry. */
function entry(fields: object): Add {
  return ({ registry, image }) =>
    addIndex(registry.storage, [{ ...image.manifest, ...fields }], 'odd')
}

function manifest(fields: object): Add {
  return ({ registry, image: { config, layers } }) => {
    const document = { schemaVersion: 2, config, layers, ...fields }
    return addDocument(registry.storage, mediaTypes.ociManifest, document, 'odd')
  }
}

function raw(json: string): Add {
  return ({ registry }) =>
    addDocument(registry.storage, mediaTypes.ociIndex, Buffer.from(json), 'odd')
}

async function expectClean(setup: PullSetup, words: readonly string[]): Promise<void> {
  const before = await runInTerminal(setup.root, words)
  expect(before.exitCode).not.toBe(0)
  expect(before.stderr).not.toBe('')
  expectHarmless(words, before.stdout + before.stderr)
}

async function runClean(setup: PullSetup, words: readonly string[]): Promise<ProgramRun> {
  const run = await runInTerminal(setup.root, words)
  expectHarmless(words, run.stdout + run.stderr)
  return run
}

function expectHarmless(words: readonly string[], text: string): void {
  // The program's own: it moves the cursor, clears lines and colours.
  // oxlint-disable-next-line no-control-regex -- these are escape sequences
  const rest = text.replaceAll(/\r\n|\x1b\[\d*[ABCDKJm]|\x1b\[\?25[lh]|\r(?!over)/g, '')
  const found = dangerous.exec(rest)
  const around = found === null ? '' : rest.slice(Math.max(0, found.index - 60), found.index + 30)
  expect(`${words.join(' ')}: ${JSON.stringify(around)}`).toBe(`${words.join(' ')}: ""`)
  expect(rest).not.toContain('\u001b[2J')
}
