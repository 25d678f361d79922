import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { mediaTypes, parseManifest } from '@katman/oci'
import { expect, it } from 'vitest'
import { type DockerdPeer, startDockerd } from '../../../test/peers/dockerd.ts'
import { testImages } from '../../../test/peers/images.ts'
import { describePeers, dockerClient } from '../../../test/peers/require-peer.ts'
import { copyToRegistry } from '../../../test/peers/skopeo.ts'
import { type CommandResult, runChecked, runCommand } from '../../../test/peers/terminal.ts'
import type { ServeOptions } from '../src/index.ts'
import { makeFolder, startRegistry, storages } from './support.ts'

const users = { ayse: 'parola' }
const image = 'alpine:3.20'

describePeers('skopeo', ['skopeo', 'images'], () => {
  it.each(
    storages.flatMap(([kind]): [typeof kind, ServeOptions['auth']][] => [
      [kind, undefined],
      [kind, { kind: 'basic', users }],
      [kind, { kind: 'bearer', users }],
    ]),
  )('pushes to %s and pulls the same image: %o', async (kind, auth) => {
    await using registry = await startRegistry(kind, auth === undefined ? {} : { auth })
    const target = `${registry.host}/library/${image}`
    if (auth !== undefined) {
      const push = copyToRegistry(testImages(), image, target, 'ayse:wrong')
      await expect(push).rejects.toThrow()
    }
    await copyToRegistry(testImages(), image, target, 'ayse:parola')
    const copy = await makeFolder()
    try {
      const flags = ['--quiet', '--all', '--src-tls-verify=false', '--src-creds', 'ayse:parola']
      const places = [`docker://${target}`, `oci:${copy}:${image}`]
      await runChecked('/usr/bin/skopeo', ['copy', ...flags, ...places])
      expect(await digestIn(copy)).toBe(await digestIn(testImages()))
    } finally {
      await rm(copy, { recursive: true, force: true })
    }
  })
})

describePeers('docker', ['root', 'docker', 'dockerd', 'skopeo', 'images'], () => {
  it('logs in, pulls, mounts, pushes, searches and pulls again', async () => {
    await using registry = await startRegistry('folder', { auth: { kind: 'bearer', users } })
    await using engine = await startDockerd()
    const docker = (...words: readonly string[]) => runDocker(engine, words)
    const login = (password: string) =>
      docker('login', '--username', 'ayse', '--password', password, registry.host)
    const name = `${registry.host}/library/${image}`
    const mine = `${registry.host}/ayse/mine:1`
    await copyToRegistry(testImages(), image, name, 'ayse:parola')
    expect((await docker('pull', name)).exitCode).not.toBe(0)
    expect((await login('wrong')).exitCode).not.toBe(0)
    succeeded(await login('parola'))
    succeeded(await docker('pull', name))
    succeeded(await docker('tag', name, mine))
    const pushed = succeeded(await docker('push', mine))
    expect(pushed).toContain('Mounted from library/alpine')
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1]
    const found = await docker('search', '--format', '{{.Name}}', `${registry.host}/`)
    expect(succeeded(found)).toBe('ayse/mine\nlibrary/alpine\n')
    succeeded(await docker('rmi', '--force', name, mine))
    expect(succeeded(await docker('pull', mine))).toContain(`Digest: ${digest}`)
  })
})

/** The digest under the image's name in a layout. */
async function digestIn(layout: string): Promise<string | undefined> {
  const bytes = await readFile(path.join(layout, 'index.json'))
  const index = parseManifest(bytes, mediaTypes.ociIndex)
  const entries = index.kind === 'index' ? index.manifests : []
  return entries.find(
    ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === image,
  )?.digest
}

function runDocker(engine: DockerdPeer, words: readonly string[]): Promise<CommandResult> {
  return runCommand(dockerClient() ?? '', words, {
    // Not this machine's PATH: docker would keep passwords in `pass` where that is installed.
    env: { PATH: engine.directory, DOCKER_HOST: engine.host, HOME: engine.directory },
  })
}

function succeeded({ exitCode, stdout, stderr }: CommandResult): string {
  expect(`${exitCode} ${exitCode === 0 ? '' : stderr}`).toBe('0 ')
  return stdout
}
