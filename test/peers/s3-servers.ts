import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { createPeerDirectory, findFreePort, startPeer, waitForPeer } from './process.ts'
import { goTool } from './require-peer.ts'

const accessKeyId = 'katman'
const secretAccessKey = 'katman-secret'

/** A real S3 server of this test, with data of its own. */
export interface S3Peer extends AsyncDisposable {
  readonly port: number
  /** Makes an empty bucket and gives its `s3://` URL; `port` when a proxy is before the server. */
  createBucket(port?: number): Promise<string>
}

/** The versions are those that `scripts/install-peers.sh` builds: versitygw over a folder, and minio. */
export const s3Servers = ['versitygw', 'minio'] as const

export async function startS3(kind: (typeof s3Servers)[number]): Promise<S3Peer> {
  const directory = await createPeerDirectory(kind)
  const data = path.join(directory, 'data')
  await mkdir(data)
  const port = await findFreePort()
  const peer = await (kind === 'versitygw'
    ? startVersity(directory, data, port)
    : startMinio(directory, data, port))
  await waitForPeer(peer, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined)
    await answer?.arrayBuffer()
    return answer !== undefined && answer.status < 500
  })
  let count = 0
  return {
    port,
    async createBucket(proxyPort = port) {
      const name = `bucket-${++count}`
      // Both keep a bucket as a folder.
      await mkdir(path.join(data, name))
      const endpoint = encodeURIComponent(`http://127.0.0.1:${proxyPort}`)
      return `s3://${accessKeyId}:${secretAccessKey}@${name}/registry?endpoint=${endpoint}`
    },
    async [Symbol.asyncDispose]() {
      await peer.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function startVersity(directory: string, data: string, port: number) {
  const keys = ['--access', accessKeyId, '--secret', secretAccessKey]
  const server = ['--port', `127.0.0.1:${port}`, '--quiet', '--keep-alive', 'posix', data]
  return startPeer(directory, goTool('versitygw'), [...keys, ...server])
}

async function startMinio(directory: string, data: string, port: number) {
  const consolePort = await findFreePort()
  const at = ['--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${consolePort}`]
  return startPeer(directory, goTool('minio'), ['server', data, ...at], {
    ...process.env,
    HOME: directory,
    MINIO_ROOT_USER: accessKeyId,
    MINIO_ROOT_PASSWORD: secretAccessKey,
  })
}
