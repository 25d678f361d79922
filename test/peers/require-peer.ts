import { existsSync } from 'node:fs'
import path from 'node:path'

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
  podman: () => missingProgram('/usr/bin/podman'),
  crane: () => missingProgram(goTool('crane')),
  regctl: () => missingProgram(goTool('regctl')),
  oras: () => missingProgram(goTool('oras')),
  cosign: () => missingProgram(goTool('cosign')),
  buildx: () => missingProgram(goTool('buildx')),
  'oci-conformance': () => missingProgram(goTool('oci-conformance')),
  helm: () => missingProgram(goTool('helm')),
  versitygw: () => missingProgram(goTool('versitygw')),
  minio: () => missingProgram(goTool('minio')),
  postgres: () => missingProgram('/usr/lib/postgresql/15/bin/postgres'),
  ctr: () => missingProgram('/usr/bin/ctr'),
  'docker-credential-pass': () => missingProgram(goTool('docker-credential-pass')),
  gpg: () => missingProgram('/usr/bin/gpg'),
  pass: () => missingProgram('/usr/bin/pass'),
  'policy-verdict': () => missingProgram(goTool('policy-verdict')),
  strace: () => missingProgram('/usr/bin/strace'),
  xz: () => missingProgram('/usr/bin/xz'),
  bzip2: () => missingProgram('/usr/bin/bzip2'),
  'mkfs.ext4': () => missingProgram('/usr/sbin/mkfs.ext4'),
  root: () => (process.getuid?.() === 0 ? undefined : 'this needs root'),
  images: () =>
    findTestImages() === undefined ? 'no test images: set KATMAN_TEST_IMAGES' : undefined,
} satisfies Record<string, () => string | undefined>

/** The name of something a peer test may need. */
export type PeerName = keyof typeof peers

/** The tools that can be there only where Go is, which builds them. */
const goTools = [
  'crane',
  'regctl',
  'oras',
  'cosign',
  'buildx',
  'oci-conformance',
  'helm',
  'versitygw',
  'minio',
  'docker-credential-pass',
  'policy-verdict',
] as const

type GoTool = (typeof goTools)[number]

/** The docker client to compare with: the newer one that some machines carry, else Debian's. */
export function dockerClient(): string | undefined {
  return ['/usr/local/bin/docker', '/usr/bin/docker'].find((file) => existsSync(file))
}

/**
 * Where `scripts/install-peers.sh` puts a tool that it builds with Go.
 * @public
 */
export function goTool(name: GoTool): string {
  // Not in PATH: docker makes a credential helper that it finds there its store, unasked.
  const isHelper = name.startsWith('docker-credential-')
  return path.join(isHelper ? '/usr/local/lib/katman-peers' : '/usr/local/bin', name)
}

/** Why these peers cannot be used here, and whether that is a failure in CI; undefined when all can. */
function missingPeers(names: readonly PeerName[]): Missing | undefined {
  const found: Missing[] = []
  for (const name of names) {
    const reason = peers[name]()
    if (reason === undefined) continue
    // Without Go its tools cannot be built: that is no fault of the machine.
    const isFault = hasGo() || !goTools.some((tool) => tool === name)
    found.push({ reason: isFault ? reason : `${reason} (it needs Go, and there is none)`, isFault })
  }
  return found.find(({ isFault }) => isFault) ?? found[0]
}

interface Missing {
  readonly reason: string
  readonly isFault: boolean
}

function hasGo(): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  return [...folders, '/usr/local/go/bin'].some((folder) => existsSync(path.join(folder, 'go')))
}

/**
 * Inside one test: skips it with the reason when a peer is missing; with CI=true it fails, unless the peer is
 * built with Go and Go is not there.
 * @public
 */
export function requirePeer(context: TestContext, ...names: readonly PeerName[]): void {
  const missing = missingPeers(names)
  if (missing === undefined) return
  if (missing.isFault && process.env['CI'] === 'true') throw new Error(missing.reason)
  context.skip(missing.reason)
}

/** `describe` for tests that need peers: like `requirePeer` when one is missing. */
export function describePeers(title: string, names: readonly PeerName[], body: () => void): void {
  if (missingPeers(names) === undefined) {
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
