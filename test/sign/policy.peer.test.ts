import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { testImages } from '../peers/images.ts'
import { type RegistryPeer, startRegistry } from '../peers/registry.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { copyToRegistry } from '../peers/skopeo.ts'
import { runChecked } from '../peers/terminal.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

// The same policy, the same registry: Katman gives the verdicts of containers/image, the library of skopeo and podman.

const env = { COSIGN_PASSWORD: 'secret' }
const accept = [{ type: 'insecureAcceptAnything' }]
const reject = [{ type: 'reject' }]

let katman: TestProgram
let registry: RegistryPeer
let digest: string

const file = (name: string): string => path.join(katman.folder, name)
const repository = (name: string): string => `${registry.host}/team/${name}`
const key = (name: string, more: object = {}): object => ({
  type: 'sigstoreSigned',
  keyPath: file(`${name}.pub`),
  ...more,
})
const docker = (scopes: Readonly<Record<string, unknown>>): unknown => ({
  default: reject,
  transports: { docker: scopes },
})
const identity = (signedIdentity: object): unknown => ({
  default: [key('own', { signedIdentity })],
})

/** Each policy, made when the registry is there. */
const policies: Readonly<Record<string, () => unknown>> = {
  'accept anything': () => ({ default: accept }),
  'reject everything': () => ({ default: reject }),
  'our key': () => ({ default: [key('own')] }),
  'our key, any tag': () => identity({ type: 'matchRepository' }),
  'our key, exactly': () => identity({ type: 'matchExact' }),
  'our key, one name': () =>
    identity({ type: 'exactReference', dockerReference: `${repository('named')}:1` }),
  'our key, one repository': () =>
    identity({ type: 'exactRepository', dockerRepository: repository('plain') }),
  'our key, remapped': () =>
    identity({
      type: 'remapIdentity',
      prefix: repository('moved'),
      signedPrefix: repository('named'),
    }),
  'our key, host remapped': () =>
    identity({ type: 'remapIdentity', prefix: registry.host, signedPrefix: 'else.example:1' }),
  'a key of a stranger': () => ({ default: [key('stranger')] }),
  'both keys': () => ({ default: [key('own'), key('stranger')] }),
  'our key, or nothing': () => ({ default: [key('own'), ...reject] }),
  'our key, and anything': () => ({ default: [...accept, key('own')] }),
  'a key that is not there': () => ({ default: [key('none')] }),
  'the key in the policy': () => ({ default: [{ type: 'sigstoreSigned', keyData: keyData() }] }),
  'one key of two': () => ({
    default: [{ type: 'sigstoreSigned', keyPaths: [file('stranger.pub'), file('own.pub')] }],
  }),
  'one key of a list in the policy': () => ({
    default: [{ type: 'sigstoreSigned', keyDatas: [keyData()] }],
  }),
  'no key of a list': () => ({ default: [{ type: 'sigstoreSigned', keyPaths: [] }] }),
  'a key with a log': () => ({ default: [key('own', { rekorPublicKeyPath: file('own.pub') })] }),
  'no key at all': () => ({ default: [{ type: 'sigstoreSigned' }] }),
  GPG: () => ({ default: [{ type: 'signedBy', keyType: 'GPGKeys', keyData: 'AAAA' }] }),
  'scope: the image': () => docker({ [`${repository('named')}:1`]: accept }),
  'scope: a digest': () => docker({ [`${repository('named')}@${digest}`]: accept }),
  'scope: the repository': () => docker({ [repository('named')]: accept }),
  'scope: the namespace': () => docker({ [`${registry.host}/team`]: accept }),
  'scope: a part of a name': () => docker({ [`${registry.host}/tea`]: accept }),
  'scope: the host': () => docker({ [registry.host]: accept }),
  'scope: a wildcard': () => docker({ '*.0.0.1': accept }),
  'scope: the transport': () => docker({ '': accept }),
  'scope: another transport': () => ({ default: reject, transports: { oci: { '': accept } } }),
  'the most specific scope alone': () =>
    docker({ [registry.host]: accept, [`${registry.host}/team`]: [key('stranger')] }),
  'no default': () => ({ transports: { docker: { '': accept } } }),
  'an unknown type': () => ({ default: [{ type: 'acceptAnything' }] }),
  'an unknown field': () => ({ default: [{ type: 'reject', why: '' }] }),
  'an unknown field of the file': () => ({ default: accept, more: true }),
  'an empty list': () => ({ default: [] }),
  'a list that nobody asks': () => ({ default: accept, transports: { oci: { '': [] } } }),
  'two keys in one': () => ({ default: [key('own', { keyData: keyData() })] }),
  'an unknown identity': () => identity({ type: 'matchAny' }),
}
let keyText = ''
const keyData = (): string => Buffer.from(keyText).toString('base64')

/** Each image: signed with its tag, without one (as cosign does), by another, moved after signing, not at all. */
const images = ['named:1', 'named@', 'plain:1', 'plain@', 'stranger:1', 'moved:1', 'unsigned:1']

describePeers(
  'signature policies',
  ['skopeo', 'docker-registry', 'cosign', 'policy-verdict', 'images'],
  () => {
    beforeAll(async () => {
      katman = await openProgram()
      registry = await startRegistry()
      for (const name of ['own', 'stranger']) {
        const words = ['generate-key-pair', '--output-key-prefix', file(name)]
        expect(await katman.runWith({ env }, ...words)).toMatchObject({ exitCode: 0 })
      }
      keyText = await readFile(file('own.pub'), 'utf8')
      const first = `${repository('named')}:1`
      await runChecked('/usr/bin/skopeo', [
        'copy',
        '--quiet',
        '--dest-tls-verify=false',
        `oci:${testImages()}:hello-world:latest`,
        `docker://${first}`,
      ])
      for (const name of ['plain', 'stranger', 'unsigned']) {
        digest = (await katman.run('cp', first, `${repository(name)}:1`)).stdout.trim()
      }
      expect(digest).toMatch(/^sha256:/)
      await sign('own', first)
      await sign('stranger', `${repository('stranger')}:1`)
      await runChecked(
        goTool('cosign'),
        [
          'sign',
          '--yes',
          '--use-signing-config=false',
          '--tlog-upload=false',
          '--new-bundle-format=false',
          '--key',
          file('own.key'),
          `${repository('plain')}@${digest}`,
        ],
        { env: { ...process.env, ...env } },
      )
      // The image with its signature under another name.
      const tag = `${digest.replace(':', '-')}.sig`
      for (const one of ['1', tag]) {
        await katman.run('cp', `${repository('named')}:${one}`, `${repository('moved')}:${one}`)
      }
      await mkdir(file('registries.d'))
      const attachments = 'default-docker:\n  use-sigstore-attachments: true\n'
      await writeFile(file('registries.d/default.yaml'), attachments)
    })
    afterAll(async () => {
      await registry[Symbol.asyncDispose]()
      await katman[Symbol.asyncDispose]()
    })

    const sign = async (name: string, image: string): Promise<void> => {
      const words = ['sign', '--layout', 'tag', '--key', file(`${name}.key`), image]
      const signed = await katman.runWith({ env }, ...words)
      expect(signed, signed.stderr).toMatchObject({ exitCode: 0 })
    }
    const theirs = async (...names: readonly string[]): Promise<readonly boolean[]> => {
      const files = [file('policy.json'), file('registries.d')]
      const { stdout } = await runChecked(goTool('policy-verdict'), [...files, ...names])
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => line === 'accepted')
    }
    const ours = async (image: string): Promise<boolean> => {
      await rm(file('store'), { recursive: true, force: true })
      const words = ['--signature-policy', file('policy.json'), 'pull', '-q', image]
      return (await katman.run(...words)).exitCode === 0
    }

    it.each(Object.entries(policies))('%s: the same verdicts', async (_, make) => {
      await writeFile(file('policy.json'), JSON.stringify(make()))
      const names = images.map((short) =>
        repository(short.endsWith('@') ? `${short}${digest}` : short),
      )
      const expected = await theirs(...names)
      expect(expected).toHaveLength(images.length)
      const verdicts: boolean[] = []
      for (const name of names) verdicts.push(await ours(name))
      const named = (list: readonly boolean[]): unknown =>
        Object.fromEntries(images.map((short, at) => [short, list[at]]))
      expect(named(verdicts)).toEqual(named(expected))
      table.push(verdicts)
    })

    const table: boolean[][] = []
    it('are of both kinds: some accept, some refuse', () => {
      const all = table.flat()
      expect(all).toHaveLength(Object.keys(policies).length * images.length)
      expect(all.filter((one) => one).length).toBeGreaterThan(40)
      expect(all.filter((one) => !one).length).toBeGreaterThan(100)
    })

    it('differ in one thing: a signature of the index speaks for its platforms', async () => {
      const index = `${repository('index')}:1`
      await copyToRegistry(testImages(), 'hello-world:latest', index)
      await sign('own', index)
      await writeFile(file('policy.json'), JSON.stringify({ default: [key('own')] }))
      expect([...(await theirs(index)), await ours(index)]).toEqual([false, true])
      const signed = await katman.runWith({ env }, 'sign', '-r', '--key', file('own.key'), index)
      expect(signed).toMatchObject({ exitCode: 0 })
      expect([...(await theirs(index)), await ours(index)]).toEqual([true, true])
    })
  },
)
