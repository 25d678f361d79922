import { readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { createPeerDirectory, startPeer, waitForPeer } from './process.ts'
import { runCommand } from './terminal.ts'

/** A running docker engine of this test: its own data, socket and containerd. Root only. */
export interface DockerdPeer extends AsyncDisposable {
  /** For `DOCKER_HOST`: `unix:///…/docker.sock` */
  readonly host: string
  readonly directory: string
  /** The engine's process id; its containerd is a child of it. */
  readonly pid: number
}

/** Starts a fresh, empty docker engine without any network of its own; `flags` are added to its own. */
export async function startDockerd(flags: readonly string[] = []): Promise<DockerdPeer> {
  const directory = await createPeerDirectory('dockerd')
  const socket = path.join(directory, 'docker.sock')
  const execRoot = path.join(directory, 'exec')
  const places = ['--data-root', path.join(directory, 'data'), '--exec-root', execRoot]
  const control = ['--pidfile', path.join(directory, 'docker.pid'), '--host', `unix://${socket}`]
  const network = ['--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false']
  const peer = await startPeer(directory, '/usr/sbin/dockerd', [
    ...places,
    ...control,
    ...network,
    ...flags,
  ])
  await waitForPeer(peer, () => ping(socket))
  return {
    host: `unix://${socket}`,
    directory,
    pid: peer.pid,
    async [Symbol.asyncDispose]() {
      const containerd = await readContainerdPid(execRoot)
      await peer.stop(15_000)
      if (containerd !== undefined) await endProcess(containerd, 'containerd')
      await unmountUnder(directory)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: '/_ping', timeout: 2_000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.on('error', () => resolve(false))
    call.on('timeout', () => call.destroy())
    call.end()
  })
}

async function readContainerdPid(execRoot: string): Promise<number | undefined> {
  try {
    const text = await readFile(path.join(execRoot, 'containerd', 'containerd.pid'), 'utf8')
    return Number.parseInt(text, 10)
  } catch {
    return undefined
  }
}

/** dockerd ends its containerd itself; this is for the day it does not. */
async function endProcess(pid: number, name: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    // The number may belong to another program by now: the name is looked at before each signal.
    if ((await processName(pid)) !== name) return
    if (attempt === 50) process.kill(pid, 'SIGTERM')
    if (attempt === 90) process.kill(pid, 'SIGKILL')
    await delay(50)
  }
}

async function processName(pid: number): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim()
  } catch {
    return undefined
  }
}

async function unmountUnder(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`))
    .toSorted((a, b) => b.length - a.length)
  for (const point of mounts) await runCommand('umount', ['-l', point])
}
