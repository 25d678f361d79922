import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { expect, it } from 'vitest'

import { startDockerd } from './dockerd.ts'
import { testImages } from './images.ts'
import { startRegistry } from './registry.ts'
import { describePeers, dockerClient } from './require-peer.ts'
import { copyFromRegistry, pushRealImages } from './skopeo.ts'
import { runChecked, runCommand } from './terminal.ts'

describePeers('startRegistry', ['docker-registry', 'htpasswd', 'skopeo', 'images'], () => {
  it('serves what skopeo copied, index and all', async () => {
    await using registry = await startRegistry()
    await pushRealImages(testImages(), registry.host)
    const answer = await fetch(`${registry.url}/v2/library/alpine/manifests/3.20`, {
      headers: { accept: 'application/vnd.oci.image.index.v1+json' },
    })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/vnd.oci.image.index.v1+json')
    await answer.arrayBuffer()
    const folder = await mkdtemp(path.join(tmpdir(), 'katman-layout-'))
    try {
      await copyFromRegistry(`${registry.host}/library/busybox:latest`, folder, 'busybox:latest')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('asks for a password when it has users', async () => {
    await using registry = await startRegistry({ users: { alice: 'secret' } })
    const without = await fetch(`${registry.url}/v2/`)
    await without.arrayBuffer()
    expect(without.status).toBe(401)
    const authorization = `Basic ${Buffer.from('alice:secret').toString('base64')}`
    const with_ = await fetch(`${registry.url}/v2/`, { headers: { authorization } })
    await with_.arrayBuffer()
    expect(with_.status).toBe(200)
  })
})

describePeers('startDockerd', ['root', 'dockerd', 'docker'], () => {
  it('answers the real client and leaves nothing behind', async () => {
    const dockerd = await startDockerd()
    const env = { ...process.env, DOCKER_HOST: dockerd.host }
    const docker = dockerClient() ?? ''
    const answer = await runChecked(docker, ['version', '--format', '{{.Server.Version}}'], { env })
    expect(answer.stdout).toMatch(/^\d+\./)
    await dockerd[Symbol.asyncDispose]()
    const found = await runCommand('pgrep', ['-f', dockerd.directory])
    expect(found.stdout).toBe('')
  })
})
