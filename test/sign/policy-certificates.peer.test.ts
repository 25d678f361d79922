import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseReference } from '@katman/oci'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { copyContent, openMemoryPlace } from '@katman/transfer'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect } from '../../packages/cli/src/connect.ts'
import { signBytes } from '../../packages/sign/src/keys.ts'
import { formatClaim } from '../../packages/sign/src/simple-signing.ts'
import {
  type Certified,
  createOwnSigstore,
  type Faults,
  newPair,
  signedAt,
} from '../../packages/sign/test/own-sigstore/own-sigstore.ts'
import { addImage } from '../hostile/hostile-image.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

// Policies that want certificates, or entries of a log: Katman gives the verdicts of containers/image.

const alice = { email: 'alice@example.com', oidcIssuer: 'https://issuer.example' }
const sigstore = createOwnSigstore()
const stranger = createOwnSigstore()
const late = new Date(signedAt.getTime() + 10 * 60_000)
const early = new Date(signedAt.getTime() - 10 * 60_000)

interface Case {
  readonly by?: typeof sigstore
  readonly faults?: Faults
  readonly ofOther?: boolean
  /** Annotations that are left out. */
  readonly without?: readonly string[]
  /** Fields of `fulcio`, and of the requirement. */
  readonly fulcio?: object
  readonly more?: object
  readonly holds?: boolean
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const both = base64(sigstore.rootPem + sigstore.intermediatePem)
const bundleKey = 'dev.sigstore.cosign/bundle'
const chainKey = 'dev.sigstore.cosign/chain'
const certificateKey = 'dev.sigstore.cosign/certificate'

const cases: Readonly<Record<string, Case>> = {
  'all is right': { holds: true },
  'another subject': { fulcio: { subjectEmail: 'bob@example.com' } },
  'another issuer': { fulcio: { oidcIssuer: 'https://else.example' } },
  'another image': { ofOther: true },
  'another authority, which brings its own root': { by: stranger },
  'another authority is believed': { fulcio: { caData: base64(stranger.rootPem) } },
  'logged too late': { faults: { loggedAt: late } },
  'logged too early': { faults: { loggedAt: early } },
  'no log of certificates': { faults: { certificateLogKey: null }, holds: true },
  'another log of signatures': { faults: { logKey: newPair() } },
  'another log is believed': { more: { rekorPublicKeyData: base64(stranger.logPem) } },
  'one of two logs': {
    more: {
      rekorPublicKeyData: undefined,
      rekorPublicKeyDatas: [base64(stranger.logPem), base64(sigstore.logPem)],
    },
    holds: true,
  },
  'not for signing code': { faults: { extendedUse: '1.3.6.1.5.5.7.3.1' } },
  'another entry': {
    faults: { changeBody: (body) => body.replace(/"value":"../, '"value":"00') },
  },
  'no entry of a log': { without: [bundleKey] },
  'no certificate': { without: [certificateKey] },
  'no intermediate authority': { without: [chainKey] },
  'the policy has the intermediate authority': {
    without: [chainKey],
    fulcio: { caData: both },
    holds: true,
  },
  'only the intermediate authority is believed': {
    fulcio: { caData: base64(sigstore.intermediatePem) },
    holds: true,
  },
}

/** Cases of a key that a log must have. */
const keyCases: Readonly<Record<string, Case>> = {
  'all is right': { holds: true },
  'another log': { faults: { logKey: newPair() } },
  'no entry of a log': { without: [bundleKey] },
  'another image': { ofOther: true },
  'another key was logged': {
    faults: {
      changeBody: (body) =>
        body.replace(
          /"publicKey":\{"content":"[^"]*"/,
          `"publicKey":{"content":"${base64(stranger.logPem)}"`,
        ),
    },
  },
}

describePeers('policies with certificates and logs', ['policy-verdict'], () => {
  let katman: TestProgram
  let registry: RegistryServer
  let image: string
  let other: string
  const digestOf = (name: string) => parseReference(name).digest ?? fail()

  beforeAll(async () => {
    katman = await openProgram()
    const storage = await openMemoryStorage()
    const { manifest } = await addImage(storage)
    const second = await addImage(storage, { config: { architecture: 'arm64' } })
    registry = await serveRegistry({ storage })
    image = `${registry.host}/team/app@${manifest.digest}`
    other = `${registry.host}/team/app@${second.manifest.digest}`
    await mkdir(file('registries.d'))
    const attachments = 'default-docker:\n  use-sigstore-attachments: true\n'
    await writeFile(file('registries.d/default.yaml'), attachments)
  })
  afterAll(async () => {
    await registry.close()
    await katman[Symbol.asyncDispose]()
  })

  const file = (name: string): string => path.join(katman.folder, name)

  /** What containers/image says, and what Katman does, with a policy of one requirement. */
  async function verdicts(requirement: object): Promise<readonly boolean[]> {
    const signedIdentity = { type: 'matchRepository' }
    const one = { type: 'sigstoreSigned', signedIdentity, ...requirement }
    await writeFile(file('policy.json'), JSON.stringify({ default: [one] }))
    const files = [file('policy.json'), file('registries.d')]
    const { stdout } = await runChecked(goTool('policy-verdict'), [...files, image])
    await rm(file('store'), { recursive: true, force: true })
    const pull = ['--signature-policy', file('policy.json'), 'pull', '-q', image]
    return [stdout === 'accepted\n', (await katman.run(...pull)).exitCode === 0]
  }

  /** Signs and puts the signature under the tag of the image. */
  async function attach(one: Case, certified: Certified): Promise<void> {
    const { by = sigstore, faults = {}, ofOther = false, without = [] } = one
    const digest = digestOf(ofOther ? other : image)
    const payload = formatClaim({ digest, identity: `${registry.host}/team/app`, annotations: {} })
    const signature = signBytes(certified.privateKey, payload)
    const all = by.annotations(payload, signature, certified, faults)
    const annotations = Object.fromEntries(
      Object.entries(all).filter(([name]) => !without.includes(name)),
    )
    const place = openMemoryPlace()
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const type = 'application/vnd.dev.cosign.simplesigning.v1+json'
    const config = place.add('application/vnd.oci.empty.v1+json', Buffer.from('{}'))
    const layers = [place.add(type, payload, { annotations })]
    const manifest = { schemaVersion: 2, mediaType, config, layers }
    const root = place.add(mediaType, Buffer.from(JSON.stringify(manifest)))
    await using remote = await connect({ env: {} })
    const target = remote.repository(parseReference(`${registry.host}/team/app`))
    await copyContent(place, target, root, { readFrom: 'source' })
    await target.tag(`${digestOf(image).replace(':', '-')}.sig`, root)
  }

  it.each(Object.entries(cases))('a certificate: %s', async (_, one) => {
    await attach(one, (one.by ?? sigstore).certify(alice, one.faults))
    const holds = one.holds === true
    const found = await verdicts({
      fulcio: {
        caData: base64(sigstore.rootPem),
        oidcIssuer: alice.oidcIssuer,
        subjectEmail: alice.email,
        ...one.fulcio,
      },
      rekorPublicKeyData: base64(sigstore.logPem),
      ...one.more,
    })
    expect(found).toEqual([holds, holds])
  })

  it.each(Object.entries(keyCases))('a key that is logged: %s', async (_, one) => {
    const pair = newPair()
    const pem = String(pair.publicKey.export({ format: 'pem', type: 'spki' }))
    const signer = { ...pair, pem, der: Buffer.alloc(0) }
    const without = [...(one.without ?? []), certificateKey, chainKey]
    await attach({ ...one, without }, signer)
    const holds = one.holds === true
    const log = { rekorPublicKeyData: base64(sigstore.logPem) }
    expect(await verdicts({ keyData: base64(pem), ...log })).toEqual([holds, holds])
  })
})

function fail(): never {
  throw new TypeError('no digest')
}
