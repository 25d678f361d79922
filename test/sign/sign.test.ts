import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
let registry: RegistryServer
let image: string
let amd: string
let index: string
const env = { KATMAN_KEY_PASSWORD: 'secret' }

beforeEach(async () => {
  katman = await openProgram()
  const storage = await openMemoryStorage()
  const one = (await addImage(storage)).manifest
  const arm = (await addImage(storage, { config: { architecture: 'arm64' } })).manifest
  amd = one.digest
  const entries = [
    { ...one, platform },
    { ...arm, platform: { os: 'linux', architecture: 'arm64' } },
  ]
  index = (await addIndex(storage, entries, 'both')).digest
  registry = await serveRegistry({ storage })
  image = `${registry.host}/team/app:both`
  await newKey('own')
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const file = (name: string): string => path.join(katman.folder, name)
const run = (...words: readonly string[]): Promise<ProgramResult> =>
  katman.runWith({ env }, ...words)
/** A pair without password: opening a locked key takes a while. */
async function newKey(name: string): Promise<void> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const form = { format: 'pem', type: 'pkcs8' } as const
  await writeFile(file(`${name}.key`), pair.privateKey.export(form))
  await writeFile(file(`${name}.pub`), pair.publicKey.export({ format: 'pem', type: 'spki' }))
}

describe('a signature under the tag of an image', () => {
  it('travels through the store with pull --referrers and push --referrers', async () => {
    const again = `${registry.host}/again/app:1`
    const steps = [
      ['sign', '--layout', 'tag', '--key', file('own.key'), image],
      ['pull', '--platform', 'all', '--referrers', image],
      ['verify', '--key', file('own.pub'), `store:${image}`],
      ['tag', image, again],
      ['push', '--referrers', again],
      ['verify', '--key', file('own.pub'), again],
    ]
    for (const step of steps) {
      const result = await run(...step)
      expect(result, `${step.join(' ')}: ${result.stderr}`).toMatchObject({ exitCode: 0 })
    }
  })
})

describe('generate-key-pair', () => {
  it('never replaces a key', async () => {
    const before = await readFile(file('own.key'), 'utf8')
    const again = await run('generate-key-pair', '--output-key-prefix', file('own'))
    expect(again).toMatchObject({ exitCode: 1 })
    expect(again.stderr).toContain('own.key exists')
    expect(await readFile(file('own.key'), 'utf8')).toBe(before)
  })

  it('asks for the password twice at a terminal and shows it never', async () => {
    const words = ['generate-key-pair', '--output-key-prefix', file('typed')]
    const different = await katman.runWith({ stdin: 'one\rtwo\r', isTerminal: true }, ...words)
    expect(different).toMatchObject({ exitCode: 1 })
    expect(different.stderr).toContain('passwords do not match')
    const same = await katman.runWith({ stdin: 'one\rone\r', isTerminal: true }, ...words)
    expect(same).toMatchObject({ exitCode: 0 })
    expect(same.stdout + same.stderr).not.toContain('one\r')
    const password = { KATMAN_KEY_PASSWORD: 'one' }
    const signed = await katman.runWith(
      { env: password },
      'sign',
      '--key',
      file('typed.key'),
      image,
    )
    expect(signed).toMatchObject({ exitCode: 0 })
  })

  it('makes no key without a password when nobody can be asked', async () => {
    const made = await katman.run('generate-key-pair', '--output-key-prefix', file('none'))
    expect(made).toMatchObject({ exitCode: 1 })
    expect(made.stderr).toContain('KATMAN_KEY_PASSWORD')
  })
})

describe('sign', () => {
  it('vouches for the image as it was typed, once', async () => {
    const signed = await run('sign', '--key', file('own.key'), image)
    expect(signed).toMatchObject({
      exitCode: 0,
      stdout: `Signed ${registry.host}/team/app@${index} for ${image}\n`,
    })
    const again = await run('sign', '--key', file('own.key'), image)
    expect(again.stdout).toMatch(/^Already signed /)
  })

  it('signs every image of an index with --recursive', async () => {
    await run('sign', '--recursive', '--key', file('own.key'), image)
    const verify = ['verify', '--key', file('own.pub')]
    for (const arch of ['amd64', 'arm64']) {
      const result = await run(...verify, '--platform', `linux/${arch}`, image)
      expect(result).toMatchObject({ exitCode: 0 })
    }
    const byDigest = await run(...verify, `${registry.host}/team/app@${amd}`)
    expect(byDigest.stdout).toContain(`Digest: ${amd}`)
  })

  it('leaves a repository that pull --all-tags can pull', async () => {
    await run('sign', '--key', file('own.key'), image)
    const pulled = await run('pull', '-q', '-a', `${registry.host}/team/app`)
    expect(pulled, pulled.stderr).toMatchObject({ exitCode: 0 })
    const listed = await run('images', '--format', '{{.Tag}}')
    expect(listed.stdout.trim().split('\n').toSorted()).toEqual(['both', 'latest'])
  })

  it('says that the password is wrong, and signs nothing', async () => {
    await run('generate-key-pair', '--output-key-prefix', file('locked'))
    const password = { COSIGN_PASSWORD: 'wrong' }
    const words = ['sign', '--key', file('locked.key'), image]
    const signed = await katman.runWith({ env: password }, ...words)
    expect(signed).toMatchObject({ exitCode: 1, stdout: '' })
    expect(signed.stderr).toContain('the password does not open the key')
    const tags = await run('tags', '-q', `${registry.host}/team/app`)
    expect(tags.stdout).toContain('both')
    expect(tags.stdout).not.toContain('.sig')
  })

  it('reads a key from a variable', async () => {
    const key = await readFile(file('own.key'), 'utf8')
    const words = ['sign', '--key', 'env://KEY', image]
    const signed = await katman.runWith({ env: { ...env, KEY: key } }, ...words)
    expect(signed).toMatchObject({ exitCode: 0 })
  })
})

describe('verify', () => {
  it('shows what was checked, also as JSON', async () => {
    await run('sign', '--key', file('own.key'), '-a', 'commit=1f2e', image)
    const shown = await run('verify', '--key', file('own.pub'), image)
    const signature = [
      `  made with key sha256:[0-9a-f]{64}`,
      '  over exactly this digest',
      `  for the name ${image} \\(not compared: no --identity\\)`,
      '  says commit=1f2e',
    ].join('\n')
    expect(shown.stdout).toMatch(
      new RegExp(
        `^${image}: verified\nDigest: ${index}\n` +
          `Signature \\(under the tag of the image\\):\n${signature}\n` +
          `Signature \\(Sigstore bundle\\):\n${signature}\nNot checked: a transparency log\n$`,
      ),
    )
    const json = await run('verify', '--key', file('own.pub'), '--format', 'json', image)
    expect(JSON.parse(json.stdout)).toMatchObject({
      name: image,
      digest: index,
      signatures: [
        { layout: 'tag', digest: index, identity: image, annotations: { commit: '1f2e' } },
        { layout: 'bundle', digest: index, identity: image, annotations: { commit: '1f2e' } },
      ],
    })
  })

  it('refuses what is not signed, another key, another name, other annotations', async () => {
    const verify = ['verify', '--key', file('own.pub')]
    expect((await run(...verify, image)).stderr).toContain('is not signed')
    await run('sign', '--key', file('own.key'), image)
    await newKey('other')
    const faults = [
      ['verify', '--key', file('other.pub'), image],
      [...verify, '--platform', 'linux/amd64', image],
      [...verify, '--identity', `${registry.host}/team/app:2`, image],
      [...verify, '--identity', `${registry.host}/team/other`, image],
      [...verify, '-a', 'commit=1f2e', image],
    ]
    for (const words of faults) {
      const result = await run(...words)
      expect(result, words.join(' ')).toMatchObject({ exitCode: 1, stdout: '' })
    }
    const named = await run(...verify, '--identity', `${registry.host}/team/app`, image)
    expect(named).toMatchObject({ exitCode: 0 })
  })

  it('refuses a file that is no key', async () => {
    await writeFile(file('no.pub'), 'nothing')
    const result = await run('verify', '--key', file('no.pub'), image)
    expect(result).toMatchObject({ exitCode: 1 })
    expect(result.stderr).toContain('it holds no PEM block')
    expect((await run('verify', image)).stderr).toContain('whom to believe?')
  })
})
