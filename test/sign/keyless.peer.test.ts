import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Digest, parseReference } from '@katman/oci'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { copyContent, openMemoryPlace } from '@katman/transfer'
import { connect } from '../../packages/cli/src/connect.ts'
import { signedBytes } from '../../packages/sign/src/dsse.ts'
import { signBytes } from '../../packages/sign/src/keys.ts'
import { formatClaim } from '../../packages/sign/src/simple-signing.ts'
import { formatStatement } from '../../packages/sign/src/statement.ts'
import {
  createOwnSigstore,
  type Faults,
  newPair,
  signedAt,
} from '../../packages/sign/test/own-sigstore/own-sigstore.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { addImage } from '../hostile/hostile-image.ts'
import { describePeers, goTool } from '../peers/require-peer.ts'
import { runCommand } from '../peers/terminal.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

// A Sigstore without network, and what cosign says to what it signs: Katman says the same.

const alice = { email: 'alice@example.com', oidcIssuer: 'https://issuer.example' }
const sigstore = createOwnSigstore()
const late = new Date(signedAt.getTime() + 10 * 60_000)

/** What is signed, who is asked for, and whether that holds. */
interface Case {
  readonly faults?: Faults
  readonly by?: typeof sigstore
  readonly ofOther?: boolean
  readonly subject?: string
  readonly issuer?: string
  readonly holds?: boolean
}

const cases: Readonly<Record<string, Case>> = {
  'all is right': { holds: true },
  'another subject': { subject: 'bob@example.com' },
  'a part of the subject': { subject: 'alice@example' },
  'another issuer': { issuer: 'https://else.example' },
  'another image': { ofOther: true },
  'another authority': { by: createOwnSigstore() },
  'logged too late': { faults: { loggedAt: late } },
  'no log of certificates': { faults: { certificateLogKey: null } },
  'another log of certificates': { faults: { certificateLogKey: newPair() } },
  'another log of signatures': { faults: { logKey: newPair() } },
  'not for signing code': { faults: { extendedUse: '1.3.6.1.5.5.7.3.1' } },
  'another entry': {
    faults: { changeBody: (body) => body.replace(/"value":"../g, '"value":"00') },
  },
}

describePeers('signatures with certificates', ['cosign'], () => {
  let katman: TestProgram
  let registry: RegistryServer
  let image: string
  let digest: Digest
  let other: string

  beforeAll(async () => {
    katman = await openProgram()
    const storage = await openMemoryStorage()
    const { manifest } = await addImage(storage)
    other = (await addImage(storage, { config: { architecture: 'arm64' } })).manifest.digest
    digest = manifest.digest
    registry = await serveRegistry({ storage })
    image = `${registry.host}/team/app@${digest}`
    await writeFile(file('root.json'), JSON.stringify(sigstore.trustedRoot))
    const bytes = await fetch(`http://${registry.host}/v2/team/app/manifests/${digest}`)
    await writeFile(file('manifest.json'), Buffer.from(await bytes.arrayBuffer()))
  })
  afterAll(async () => {
    await registry.close()
    await katman[Symbol.asyncDispose]()
  })

  const file = (name: string): string => path.join(katman.folder, name)
  const wanted = ({
    subject = alice.email,
    issuer = alice.oidcIssuer,
  }: Case): readonly string[] => [
    '--trusted-root',
    file('root.json'),
    '--certificate-identity',
    subject,
    '--certificate-oidc-issuer',
    issuer,
  ]
  const cosign = async (...words: readonly string[]): Promise<boolean> => {
    const env = { ...process.env, HOME: katman.folder }
    return (await runCommand(goTool('cosign'), words, { env })).exitCode === 0
  }
  const ours = async (...words: readonly string[]): Promise<boolean> =>
    (await katman.run('verify', ...words)).exitCode === 0
  const bundleOf = ({ by = sigstore, faults = {}, ofOther = false }: Case): object => {
    const certified = by.certify(alice, faults)
    const signed = parseReference(`x/y@${ofOther ? other : digest}`).digest
    if (signed === undefined) throw new TypeError('no digest')
    const message = formatStatement(signed, { annotations: {} })
    const signature = signBytes(certified.privateKey, signedBytes(message))
    return by.bundle({ ...message, signature }, certified, faults)
  }

  it.each(Object.entries(cases))('a bundle: %s', async (_, one) => {
    await writeFile(file('bundle.json'), JSON.stringify(bundleOf(one)))
    const words = ['--bundle', file('bundle.json'), ...wanted(one)]
    const type = ['--type', 'https://sigstore.dev/cosign/sign/v1']
    const theirs = await cosign('verify-blob-attestation', ...words, ...type, file('manifest.json'))
    expect([theirs, await ours(...words, image)]).toEqual([one.holds === true, one.holds === true])
  })

  it('a bundle that refers to the image, and a signature under its tag', async () => {
    const right = [...wanted({}), image]
    const wrong = [...wanted({ subject: 'bob@example.com' }), image]
    for (const attach of [attachUnderTag, attachBundle]) {
      await attach()
      expect([await cosign('verify', ...right), await ours(...right)]).toEqual([true, true])
      expect([await cosign('verify', ...wrong), await ours(...wrong)]).toEqual([false, false])
    }
  })

  async function attachBundle(): Promise<void> {
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json'
    const { size } = await repositorySize()
    const subject = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size }
    const layer = { type, bytes: Buffer.from(JSON.stringify(bundleOf({}))), annotations: {} }
    await push({ artifactType: type, subject }, layer)
  }

  async function attachUnderTag(): Promise<void> {
    const certified = sigstore.certify(alice)
    const identity = `${registry.host}/team/app`
    const bytes = Buffer.from(formatClaim({ digest, identity, annotations: {} }))
    const signature = signBytes(certified.privateKey, bytes)
    const annotations = sigstore.annotations(bytes, signature, certified)
    const type = 'application/vnd.dev.cosign.simplesigning.v1+json'
    await push({}, { type, bytes, annotations }, `${digest.replace(':', '-')}.sig`)
  }

  async function repositorySize(): Promise<{ readonly size: number }> {
    await using remote = await connect({ env: {} })
    return await remote.repository(parseReference(`${registry.host}/team/app`)).resolve(digest)
  }

  /** Puts a manifest with one layer beside the image. */
  async function push(
    more: object,
    layer: {
      readonly type: string
      readonly bytes: Buffer
      readonly annotations: Record<string, string>
    },
    tag?: string,
  ): Promise<void> {
    const place = openMemoryPlace()
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const config = place.add('application/vnd.oci.empty.v1+json', Buffer.from('{}'))
    const { annotations } = layer
    const layers = [place.add(layer.type, layer.bytes, { annotations })]
    const manifest = { schemaVersion: 2, mediaType, config, layers, ...more }
    const root = place.add(mediaType, Buffer.from(JSON.stringify(manifest)))
    await using remote = await connect({ env: {} })
    const target = remote.repository(parseReference(`${registry.host}/team/app`))
    await copyContent(place, target, root, { readFrom: 'source' })
    if (tag !== undefined) await target.tag(tag, root)
  }
})
