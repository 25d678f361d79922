import { generateKeyPairSync } from 'node:crypto'
import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Descriptor } from '@katman/oci'
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

// Under a policy nothing that it refuses reaches a registry, a store, a layout, an archive or a folder.

let katman: TestProgram
let registry: RegistryServer
let storage: RegistryStorage
let image: string
let entries: readonly Descriptor[]
let onSignature: () => Promise<unknown>
/** What was written to the registry. */
let writes: string[]
const accept = [{ type: 'insecureAcceptAnything' }]
const reject = [{ type: 'reject' }]

beforeEach(async () => {
  katman = await openProgram()
  storage = await openMemoryStorage()
  const amd = (await addImage(storage)).manifest
  const arm = (await addImage(storage, { config: { architecture: 'arm64' } })).manifest
  entries = [
    { ...amd, platform },
    { ...arm, platform: { os: 'linux', architecture: 'arm64' } },
  ]
  await addIndex(storage, entries, 'both')
  onSignature = async () => {}
  writes = []
  const onRequest = (request: { readonly method: string; readonly path: string }): void => {
    if (request.path.endsWith('.sig')) void onSignature()
    if (!['GET', 'HEAD'].includes(request.method)) writes.push(`${request.method} ${request.path}`)
  }
  registry = await serveRegistry({ storage, onRequest })
  image = `${registry.host}/team/app:both`
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const form = { format: 'pem', type: 'pkcs8' } as const
  await writeFile(file('own.key'), pair.privateKey.export(form))
  await writeFile(file('own.pub'), pair.publicKey.export({ format: 'pem', type: 'spki' }))
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const file = (name: string): string => path.join(katman.folder, name)
/** Signs for any name of the repository. */
async function sign(name: string): Promise<void> {
  const signed = await katman.run('sign', '--key', file('own.key'), name)
  expect(signed, signed.stderr).toMatchObject({ exitCode: 0 })
  writes = []
}
const signed = (): unknown => [
  {
    type: 'sigstoreSigned',
    keyPath: file('own.pub'),
    signedIdentity: { type: 'matchRepository' },
  },
]
const forRegistry = (): unknown => ({
  default: accept,
  transports: { docker: { [registry.host]: signed() } },
})
const only = (transport: string, scope: string, requirements: unknown): unknown => ({
  default: requirements === accept ? reject : accept,
  transports: { [transport]: { [scope]: requirements } },
})
async function under(policy: unknown, ...words: readonly string[]): Promise<ProgramResult> {
  await writeFile(file('policy.json'), JSON.stringify(policy))
  return katman.run('--signature-policy', file('policy.json'), ...words)
}
async function expectAccepted(result: Promise<ProgramResult>): Promise<void> {
  const { exitCode, stderr } = await result
  expect(exitCode, stderr).toBe(0)
}
async function expectRefused(
  result: Promise<ProgramResult>,
  text = /Source image rejected/,
): Promise<void> {
  const { exitCode, stderr } = await result
  expect(stderr).toMatch(text)
  expect(exitCode).toBe(1)
  expect(writes).toEqual([])
}

describe('under a signature policy, imagetools create', () => {
  const create = (...words: readonly string[]): readonly string[] => [
    'buildx',
    'imagetools',
    'create',
    ...words,
  ]

  it('takes signed sources only', async () => {
    const made = `${registry.host}/team/made:1`
    await expectRefused(under(forRegistry(), ...create('-t', made, image)))
    await expectRefused(under(forRegistry(), ...create('--dry-run', image)))
    const [amd, arm] = entries.map(({ digest }) => `${registry.host}/team/app@${digest}`)
    await sign(amd ?? '')
    await expectRefused(under(forRegistry(), ...create('-t', made, amd ?? '', arm ?? '')))
    await sign(arm ?? '')
    await expectAccepted(under(forRegistry(), ...create('-t', made, amd ?? '', arm ?? '')))
  })

  it('takes one platform of an index when that image is signed', async () => {
    const made = `${registry.host}/team/made:1`
    await sign(`${registry.host}/team/app@${entries[0]?.digest}`)
    const words = (one: string): readonly string[] =>
      create('--platform', one, '-t', made, '--annotation', 'index:a=b', image)
    await expectRefused(under(forRegistry(), ...words('linux/arm64')))
    await expectRefused(under(forRegistry(), ...create('-t', made, image)))
    await expectAccepted(under(forRegistry(), ...words('linux/amd64')))
  })

  it('pushes what was checked, though the tag moves at that moment', async () => {
    await sign(image)
    const other = (await addIndex(storage, entries.slice(0, 1), 'other')).digest
    onSignature = () => placeTag(storage, 'team/app', 'both', other)
    const made = `${registry.host}/team/made:1`
    await expectAccepted(under(forRegistry(), ...create('-t', made, image)))
    const raw = await katman.run('manifest', 'inspect', made)
    for (const { digest } of entries) expect(raw.stdout).toContain(digest)
  })
})

describe('under a signature policy, a mirror', () => {
  it('is enough when it has image and signature, though the registry itself is away', async () => {
    const away = '127.0.0.1:9'
    await sign(image)
    await mkdir(file('.config/containers'), { recursive: true })
    await writeFile(
      file('.config/containers/registries.conf'),
      `[[registry]]
location = "${away}"
insecure = true
[[registry.mirror]]
location = "${registry.host}"
insecure = true
`,
    )
    const policy = {
      default: reject,
      transports: {
        docker: {
          [away]: [
            {
              type: 'sigstoreSigned',
              keyPath: file('own.pub'),
              signedIdentity: {
                type: 'remapIdentity',
                prefix: away,
                signedPrefix: registry.host,
              },
            },
          ],
        },
      },
    }
    await expectAccepted(under(policy, 'pull', '-q', `${away}/team/app:both`))
    await addIndex(storage, entries.slice(0, 1), 'unsigned')
    const unsigned = await under(policy, 'pull', '-q', `${away}/team/app:unsigned`)
    expect(unsigned).toMatchObject({ exitCode: 1 })
  })
})

describe('under a signature policy, docker manifest', () => {
  it('creates and pushes lists of signed images only', async () => {
    const list = `${registry.host}/team/list:1`
    const [amd, arm] = entries.map(({ digest }) => `${registry.host}/team/app@${digest}`)
    const create = ['manifest', 'create', '--amend', list, amd ?? '', arm ?? '']
    await sign(amd ?? '')
    await expectRefused(under(forRegistry(), ...create))
    const none = await katman.run('manifest', 'inspect', list)
    expect(none).toMatchObject({ exitCode: 1 })
    // A list from before the policy.
    await expectAccepted(katman.run(...create))
    await expectRefused(under(forRegistry(), 'manifest', 'push', list))
    await sign(arm ?? '')
    await expectAccepted(under(forRegistry(), ...create))
    await expectAccepted(under(forRegistry(), 'manifest', 'push', list))
  })
})

describe('under a signature policy, a file', () => {
  beforeEach(async () => {
    const root = ['--root', file('other')]
    await expectAccepted(katman.run(...root, 'pull', '-q', '--platform', 'all', image))
    await expectAccepted(katman.run(...root, 'save', '-o', file('both.tar'), image))
    await expectAccepted(katman.run('cp', image, `oci:${file('layout')}:1`))
    writes = []
  })

  it.each(['docker-archive', 'oci-archive'])('typed as %s is no folder', async (kind) => {
    const copy = ['cp', `${kind}:${file('layout')}`, 'store:copied:1']
    const text = new RegExp(`it is no ${kind}, but oci`)
    await expectRefused(under(only(kind, '', accept), ...copy), text)
    await expectRefused(katman.run(...copy), text)
  })

  it('that is an OCI archive and a docker archive must be admitted as what it is read', async () => {
    const store = 'store:copied:1'
    for (const words of [
      ['cp', `docker-archive:${file('both.tar')}`, store],
      ['cp', `oci-archive:${file('both.tar')}`, store],
      ['load', '-i', file('both.tar')],
    ]) {
      await expectRefused(under(only('docker-archive', '', accept), ...words))
      await expectRefused(under(only('oci-archive', '', reject), ...words))
    }
    const typed = ['cp', `docker-archive:${file('both.tar')}`, store]
    await expectRefused(under(only('docker-archive', '', reject), ...typed))
    await expectRefused(under(only('docker-archive', '', reject), 'load', '-i', file('both.tar')))
    const asOci = ['cp', `oci-archive:${file('both.tar')}`, store]
    await expectAccepted(under(only('oci-archive', file('both.tar'), accept), ...asOci))
    const both = { 'docker-archive': { '': accept }, 'oci-archive': { '': accept } }
    const policy = { default: reject, transports: both }
    await expectAccepted(under(policy, 'load', '-i', file('both.tar')))
  })

  it('is judged where it is, not by the link that leads to it', async () => {
    await mkdir(file('good'))
    await mkdir(file('bad'))
    await rename(file('layout'), file('bad/layout'))
    await symlink(file('bad/layout'), file('good/layout'))
    const copy = ['cp', `oci:${file('good/layout')}:1`, 'store:copied:1']
    await expectRefused(under(only('oci', file('bad'), reject), ...copy))
    await expectRefused(under(only('oci', file('good'), accept), ...copy))
    await expectAccepted(under(only('oci', file('bad'), accept), ...copy))
  })

  it('is asked for with every name it has, also when none is typed', async () => {
    await expectRefused(
      under(only('oci', `${file('layout')}:1`, reject), 'cp', `oci:${file('layout')}`, 'store:a:1'),
    )
    const all = ['cp', '-a', `oci:${file('layout')}`, `oci:${file('target')}`]
    await expectRefused(under(only('oci', `${file('layout')}:1`, reject), ...all))
    expect(await readdir(katman.folder)).not.toContain('target')
  })
})
