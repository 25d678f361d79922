import { generateKeyPairSync } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Digest } from '@katman/oci'
import {
  openMemoryStorage,
  type RegistryServer,
  type RegistryStorage,
  serveRegistry,
} from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'
import { placeTag } from '../registry/content.ts'

let katman: TestProgram
let registry: RegistryServer
let image: string
let index: string
let otherIndex: Digest
let storage: RegistryStorage
let onSignature: () => Promise<unknown>
const accept = [{ type: 'insecureAcceptAnything' }]
const reject = [{ type: 'reject' }]

beforeEach(async () => {
  katman = await openProgram()
  storage = await openMemoryStorage()
  const amd = (await addImage(storage)).manifest
  const arm = (await addImage(storage, { config: { architecture: 'arm64' } })).manifest
  const entries = [
    { ...amd, platform },
    { ...arm, platform: { os: 'linux', architecture: 'arm64' } },
  ]
  index = (await addIndex(storage, entries, 'both')).digest
  otherIndex = (await addIndex(storage, entries.slice(0, 1), 'other')).digest
  onSignature = async () => {}
  const onRequest = ({ path: at }: { readonly path: string }): void => {
    if (at.endsWith('.sig')) void onSignature()
  }
  registry = await serveRegistry({ storage, onRequest })
  image = `${registry.host}/team/app:both`
  for (const name of ['own', 'stranger']) {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const form = { format: 'pem', type: 'pkcs8' } as const
    await writeFile(file(`${name}.key`), pair.privateKey.export(form))
    await writeFile(file(`${name}.pub`), pair.publicKey.export({ format: 'pem', type: 'spki' }))
  }
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const file = (name: string): string => path.join(katman.folder, name)
const sign = async (...words: readonly string[]): Promise<void> => {
  const signed = await katman.run('sign', '--key', file('own.key'), ...words)
  expect(signed).toMatchObject({ exitCode: 0 })
}
const signedBy = (key: string, more: object = {}): unknown => [
  { type: 'sigstoreSigned', keyPath: file(`${key}.pub`), ...more },
]
/** Writes a policy and runs the program with it. */
async function under(policy: unknown, ...words: readonly string[]): Promise<ProgramResult> {
  await writeFile(file('policy.json'), JSON.stringify(policy))
  return katman.run('--signature-policy', file('policy.json'), ...words)
}
/** A policy for the registry; anything else is accepted. */
const forRegistry = (requirements: unknown): unknown => ({
  default: accept,
  transports: { docker: { [registry.host]: requirements } },
})
/** Nothing of an image is in the store, not even a part of one. */
async function expectEmptyStore(): Promise<void> {
  const folders = ['blobs', 'images', 'refs', 'layers', 'ingest', 'referrers']
  for (const folder of folders) {
    const found = await readdir(file(`store/${folder}`), {
      recursive: true,
      withFileTypes: true,
    }).catch(() => [])
    expect(
      found.filter((entry) => entry.isFile()),
      folder,
    ).toEqual([])
  }
}
async function expectRefused(result: ProgramResult, text: RegExp): Promise<void> {
  expect(result).toMatchObject({ exitCode: 1 })
  expect(result.stderr).toMatch(text)
  await expectEmptyStore()
}

describe('the signature policy', () => {
  it('lets a pull through when the image is signed, and stores nothing when it is not', async () => {
    const policy = forRegistry(signedBy('own'))
    await expectRefused(
      await under(policy, 'pull', image),
      /Source image rejected: .*a signature was required/,
    )
    await sign(image)
    expect(await under(policy, 'pull', image)).toMatchObject({ exitCode: 0 })
  })

  it.each([
    ['reject', () => reject, /the policy rejects it/],
    ['another key', () => signedBy('stranger'), /not made with the key/],
    ['a key that is not there', () => signedBy('none'), /none\.pub/],
    [
      'another name',
      () =>
        signedBy('own', { signedIdentity: { type: 'exactRepository', dockerRepository: 'a.b/c' } }),
      /is for the name/,
    ],
    ['one of two', () => [...(signedBy('own') as []), ...reject], /the policy rejects it/],
    ['GPG', () => [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/x' }], /GPG \(signedBy\)/],
    ['pki', () => [{ type: 'sigstoreSigned', pki: {} }], /uses pki, which is not checked/],
  ])('refuses a signed image: %s', async (_, requirements, text) => {
    await sign(image)
    await expectRefused(await under(forRegistry(requirements()), 'pull', image), text)
  })

  it('refuses a tag that was pointed to another image after it was signed', async () => {
    await sign(image)
    const other = `${registry.host}/team/app:other`
    expect(await katman.run('--root', file('else'), 'cp', other, image)).toMatchObject({
      exitCode: 0,
    })
    await expectRefused(
      await under(forRegistry(signedBy('own')), 'pull', image),
      /no signature exists/,
    )
  })

  it('accepts one platform of an index by a signature of the index or of that platform', async () => {
    const policy = forRegistry(signedBy('own', { signedIdentity: { type: 'matchRepository' } }))
    const [amd] = /sha256:\w+/.exec((await katman.run('manifest', 'inspect', image)).stdout) ?? []
    await sign(`${registry.host}/team/app@${amd}`)
    const arm = await under(policy, 'pull', '--platform', 'linux/arm64', image)
    await expectRefused(arm, /no signature exists; nor of sha256/)
    await expectRefused(
      await under(policy, 'pull', '--platform', 'all', image),
      /no signature exists/,
    )
    const pulled = await under(policy, 'pull', '--platform', 'linux/amd64', image)
    expect(pulled, pulled.stderr).toMatchObject({ exitCode: 0 })
    await sign(`${registry.host}/team/app@${index}`)
    expect(await under(policy, 'pull', '--platform', 'all', image)).toMatchObject({ exitCode: 0 })
  })

  it('takes exactly what was verified, though the tag moves at that moment', async () => {
    await sign(image)
    const policy = forRegistry(signedBy('own'))
    // As soon as somebody looks for the signature, the tag means something else.
    onSignature = () => placeTag(storage, 'team/app', 'both', otherIndex)
    const pulled = await under(policy, 'pull', '-q', image)
    expect(pulled, pulled.stderr).toMatchObject({ exitCode: 0 })
    const shown = await katman.run('inspect', '-f', '{{index .RepoDigests 0}}', image)
    expect(shown.stdout.trim()).toBe(`${registry.host}/team/app@${index}`)
  })

  it('is asked for every tag of --all-tags', async () => {
    await sign(image)
    const policy = forRegistry(signedBy('own'))
    const pulled = await under(policy, 'pull', '-q', '-a', `${registry.host}/team/app`)
    expect(pulled).toMatchObject({ exitCode: 1 })
    expect(pulled.stderr).toMatch(/app:(?:other|latest) .*no signature exists/)
  })

  it.each(['pull', 'cp'])('that does not read stops %s (fail closed)', async (command) => {
    const words = command === 'pull' ? [command, image] : [command, image, 'store:copied:1']
    for (const policy of [{}, { default: [{ type: 'unknown' }] }, { default: accept, x: 1 }]) {
      await expectRefused(await under(policy, ...words), /policy\.json: /)
    }
    const absent = await katman.run('--signature-policy', file('absent.json'), ...words)
    await expectRefused(absent, /policy cannot be read/)
  })

  it('of the user is found in the home folder', async () => {
    await mkdir(file('.config/containers'), { recursive: true })
    await writeFile(file('.config/containers/policy.json'), JSON.stringify({ default: reject }))
    await expectRefused(await katman.run('pull', image), /the policy rejects it/)
    const env = { KATMAN_SIGNATURE_POLICY: file('policy.json') }
    await writeFile(file('policy.json'), JSON.stringify({ default: accept }))
    expect(await katman.runWith({ env }, 'pull', image)).toMatchObject({ exitCode: 0 })
  })

  it('holds for cp from a registry to anywhere, also for a dry run', async () => {
    const policy = forRegistry(signedBy('own'))
    const places = [
      'store:copied:1',
      `oci:${file('layout')}:1`,
      `oci-archive:${file('copy.tar')}`,
      `${registry.host}/copied/app:1`,
    ]
    for (const place of places) {
      await expectRefused(await under(policy, 'cp', image, place), /no signature exists/)
      await expectRefused(
        await under(policy, 'cp', '--dry-run', image, place),
        /no signature exists/,
      )
    }
    expect(await readdir(katman.folder)).not.toContain('layout')
    expect(await readdir(katman.folder)).not.toContain('copy.tar')
    expect((await katman.run('tags', `${registry.host}/copied/app`)).exitCode).toBe(1)
    await sign(image)
    for (const place of places) {
      expect(await under(policy, 'cp', image, place), place).toMatchObject({ exitCode: 0 })
    }
  })

  it('holds for artifact pull and for sync', async () => {
    const policy = forRegistry(signedBy('own'))
    await writeFile(file('hello.txt'), 'hello')
    const artifact = `${registry.host}/team/text:1`
    const before = process.cwd()
    process.chdir(katman.folder)
    const push = await katman.run('artifact', 'push', artifact, 'hello.txt')
    process.chdir(before)
    expect(push, push.stderr).toMatchObject({ exitCode: 0 })
    const pull = ['artifact', 'pull', '-o', file('out'), artifact]
    await expectRefused(await under(policy, ...pull), /no signature exists/)
    expect(await readdir(katman.folder)).not.toContain('out')
    await sign(artifact)
    expect(await under(policy, ...pull)).toMatchObject({ exitCode: 0 })
    const text = `sync:\n  - source: ${image}\n    target: ${registry.host}/copied/app:1\n`
    await writeFile(file('sync.yaml'), text)
    const refused = await under(policy, 'sync', file('sync.yaml'))
    expect(refused).toMatchObject({ exitCode: 1 })
    expect(refused.stderr).toMatch(/Source image rejected/)
    expect((await katman.run('tags', `${registry.host}/copied/app`)).exitCode).toBe(1)
    await sign(image)
    const synced = await under(policy, 'sync', file('sync.yaml'))
    expect(synced, synced.stderr).toMatchObject({ exitCode: 0 })
  })

  it('knows archives and folders by their transports', async () => {
    const root = ['--root', file('other')]
    const archive = file('images.tar')
    await katman.run(...root, 'pull', '--platform', 'all', image)
    await katman.run(...root, 'save', '-o', archive, image)
    await katman.run(...root, 'cp', `store:${image}`, `oci:${file('layout')}:1`)
    const only = (transport: string, scope: string, requirements: unknown): unknown => ({
      default: accept,
      transports: { [transport]: { [scope]: requirements } },
    })
    const load = ['load', '-i', archive]
    await expectRefused(
      await under(only('docker-archive', '', reject), ...load),
      /docker-archive:.*rejects/,
    )
    await expectRefused(await under({ default: reject }, ...load), /rejects/)
    await expectRefused(await under({ default: signedBy('own') }, ...load), /no signature exists/)
    const layout = `oci:${file('layout')}:1`
    const copy = ['cp', layout, 'store:copied:1']
    for (const scope of ['', file('layout'), `${file('layout')}:1`, katman.folder]) {
      await expectRefused(await under(only('oci', scope, reject), ...copy), /rejects/)
    }
    expect(await under(only('oci', file('else'), reject), ...copy)).toMatchObject({ exitCode: 0 })
    const asOci = ['cp', `oci-archive:${archive}`, 'store:copied:2']
    expect(await under(only('oci-archive', archive, reject), ...asOci)).toMatchObject({
      exitCode: 1,
    })
    expect(await under(only('oci', '', reject), ...load)).toMatchObject({ exitCode: 0 })
  })
})
