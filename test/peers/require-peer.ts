import { existsSync } from 'node:fs'

import { describe, it } from 'vitest'
import type { TestContext } from 'vitest'

import { findTestImages } from './images.ts'

/** What a peer test may need, and how its absence is seen. */
const peers = {
  dockerd: () => missingProgram('/usr/sbin/dockerd'),
  docker: () =>
    dockerClient() === undefined ? 'no docker client in /usr/local/bin or /usr/bin' : undefined,
  'docker-registry': () => missingProgram('/usr/bin/docker-registry'),
  htpasswd: () => missingProgram('/usr/bin/htpasswd'),
  skopeo: () => missingProgram('/usr/bin/skopeo'),
  umoci: () => missingProgram('/usr/bin/umoci'),
  strace: () => missingProgram('/usr/bin/strace'),
  'mkfs.ext4': () => missingProgram('/usr/sbin/mkfs.ext4'),
  root: () => (process.getuid?.() === 0 ? undefined : 'this needs root'),
  images: () =>
    findTestImages() === undefined ? 'no test images: set KATMAN_TEST_IMAGES' : undefined,
} satisfies Record<string, () => string | undefined>

/** The name of something a peer test may need. */
export type PeerName = keyof typeof peers

/** The docker client to compare with: the newer one that some machines carry, else Debian's. */
export function dockerClient(): string | undefined {
  return ['/usr/local/bin/docker', '/usr/bin/docker'].find((file) => existsSync(file))
}

/** Why these peers cannot be used here, or undefined when all can. */
function missingPeers(names: readonly PeerName[]): string | undefined {
  for (const name of names) {
    const reason = peers[name]()
    if (reason !== undefined) return reason
  }
  return undefined
}

/**
 * Inside one test: skips it with the reason when a peer is missing; with CI=true it fails.
 * @public
 */
export function requirePeer(context: TestContext, ...names: readonly PeerName[]): void {
  const reason = missingPeers(names)
  if (reason === undefined) return
  if (process.env['CI'] === 'true') throw new Error(reason)
  context.skip(reason)
}

/** `describe` for tests that need peers: skipped with the reason when one is missing; with CI=true a failure. */
export function describePeers(title: string, names: readonly PeerName[], body: () => void): void {
  const reason = missingPeers(names)
  if (reason === undefined) {
    describe(title, body)
    return
  }
  describe(title, () => {
    it('has its peers', (context) => {
      requirePeer(context, ...names)
    })
  })
}

function missingProgram(file: string): string | undefined {
  return existsSync(file) ? undefined : `${file} is missing: run scripts/install-peers.sh`
}
