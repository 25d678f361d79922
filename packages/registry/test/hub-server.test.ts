import { createHash } from 'node:crypto'
import { mediaTypes } from '@katman/oci'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../src/index.ts'

/** The parts together, as a server runs them: what is pushed is told and shown. */
describe('a server with events and Docker Hub’s API', () => {
  let server: RunningServer
  let url = ''

  beforeAll(async () => {
    server = await startServer(
      {
        registry: { isOpen: true, hub: { limits: { anonymous: 100, windowSeconds: 60 } } },
        listen: { host: '127.0.0.1', port: 0 },
        version: 'test',
      },
      { log: () => undefined, warn: () => undefined },
    )
    url = `http://127.0.0.1:${server.address.port}`
  })
  afterAll(() => server.stop())

  const sha256 = (text: string): string =>
    `sha256:${createHash('sha256').update(text).digest('hex')}`

  async function addBlob(text: string): Promise<object> {
    const target = `${url}/v2/team/app/blobs/uploads/?digest=${sha256(text)}`
    expect((await fetch(target, { method: 'POST', body: text })).status).toBe(201)
    return { digest: sha256(text), size: text.length }
  }

  async function push(tag: string): Promise<string> {
    const config = JSON.stringify({ os: 'linux', architecture: 'arm64' })
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, ...(await addBlob(config)) },
      layers: [{ mediaType: mediaTypes.ociLayer, ...(await addBlob('a layer')) }],
    })
    const answer = await fetch(`${url}/v2/team/app/manifests/${tag}`, {
      method: 'PUT',
      headers: { 'content-type': mediaTypes.ociManifest },
      body: manifest,
    })
    expect(answer.status).toBe(201)
    return sha256(manifest)
  }

  it('tells a push to those who listen, shows the tag, counts the pull, and stops with a stream open', async () => {
    const listening = await fetch(`${url}/api/v1/events?type=tag.created`)
    const reader = listening.body?.getReader()
    const read = async (): Promise<string> =>
      Buffer.from((await reader?.read())?.value ?? '').toString()
    expect(await read()).toContain('retry')
    const digest = await push('1.0')
    expect(await read()).toContain(`"digest":"${digest}"`)

    const pulled = await fetch(`${url}/v2/team/app/manifests/1.0`)
    expect(pulled.headers.get('ratelimit-remaining')).toBe('99;w=60')
    const tag: unknown = await (
      await fetch(`${url}/v2/repositories/team/app/tags/?name=1.0`)
    ).json()
    expect(tag).toMatchObject({
      count: 1,
      results: [{ name: '1.0', digest, images: [{ os: 'linux', architecture: 'arm64' }] }],
    })
    await expect
      .poll(async () => (await fetch(`${url}/v2/repositories/team/app`)).json(), { timeout: 5000 })
      .toMatchObject({ pull_count: 1, is_private: false })

    const begun = performance.now()
    await server.stop()
    expect(performance.now() - begun).toBeLessThan(5000)
    expect(await read()).toBe('')
  })
})
