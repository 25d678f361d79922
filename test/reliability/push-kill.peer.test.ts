import path from 'node:path'
import { openFolderStorage, serveRegistry } from '@katman/registry'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../faults/counting-proxy.ts'
import { startRegistry } from '../peers/registry.ts'
import { describePeers } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'
import { katman, removeFolder, startKatman, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'
import { gzipLayer, startSlowRegistry, type TestImage } from './slow-registry.ts'

// kill -9 of pushes at random bytes, again and again until one wins. What the registry has is never sent again, and the
// digest at the end is the right one. The seed is printed: KATMAN_TEST_SEED.

const seed = Number(process.env['KATMAN_TEST_SEED'] ?? Date.now() % 1_000_000)
const random = seededRandom(seed)
const kills = 8
let folder: string
let root: string
let image: TestImage
let imageBytes: number

beforeAll(async () => {
  console.log(`seed ${seed}`)
  folder = await temporaryFolder()
  root = path.join(folder, 'store')
  const sizes = { a: 40_000_000, b: 25_000_000, c: 15_000_000, d: 3_000_000, e: 50_000 }
  const layers = Object.entries(sizes).map(([name, size]) =>
    gzipLayer({ [`data/${name}`]: randomBytesOf(random, size) }),
  )
  await using source = await startSlowRegistry()
  source.pieceBytes = 4 * 1024 * 1024
  image = await source.addImage('killed', layers)
  imageBytes = image.layerBytes
  expect(await katman(root, 'pull', '-q', image.reference)).toMatchObject({ exitCode: 0 })
})
afterAll(() => removeFolder(folder))

describePeers('a push that is killed or cut', ['docker-registry', 'skopeo'], () => {
  it('to docker-registry sends no blob twice that is there', async () => {
    await using registry = await startRegistry()
    await using proxy = await startCountingProxy(registry.host)
    let missing = 0
    for (let killed = 0; killed < kills; killed++) {
      missing += await missingBytes(registry.host)
      if (!(await pushAndKill(proxy, imageBytes))) break
    }
    missing += await missingBytes(registry.host)
    await finish(proxy, registry.host)
    console.log(`docker-registry: ${proxy.sent} bytes sent, at most ${missing} were missing`)
    // It forgets the rest of a request that breaks, so what was under way goes again from its first byte.
    expect(proxy.sent).toBeLessThan(missing * 1.02)
  })

  it('to docker-registry stands cuts of all its connections', async () => {
    await using registry = await startRegistry()
    await using proxy = await startCountingProxy(registry.host)
    const points = [random(), random(), random()]
      .map((part) => part * imageBytes)
      .toSorted((a, b) => a - b)
    let cuts = 0
    proxy.onSent = (sent) => {
      const point = points[cuts]
      if (point === undefined || sent < point) return
      cuts++
      proxy.cut()
    }
    const name = `${proxy.host}/pushed/app:1`
    expect(await katman(root, 'tag', image.reference, name)).toMatchObject({ exitCode: 0 })
    const { exitCode, stderr } = await katman(root, 'push', name)
    proxy.onSent = undefined
    expect({ exitCode, stderr, cuts }).toEqual({ exitCode: 0, stderr: '', cuts: 3 })
    await finish(proxy, registry.host)
    console.log(`docker-registry: 3 cuts, ${proxy.sent} bytes sent for ${imageBytes}`)
  })

  it('to a registry that keeps what it got sends each byte about once', async () => {
    await using storage = await openFolderStorage(path.join(folder, 'registry'))
    const registry = await serveRegistry({ storage })
    await using proxy = await startCountingProxy(registry.host)
    let killed = 0
    while (killed < kills && (await pushAndKill(proxy, imageBytes / kills))) killed++
    await finish(proxy, registry.host)
    await registry.close()
    console.log(`our registry: ${killed} kills, ${proxy.sent} bytes sent for ${imageBytes}`)
    expect(killed).toBeGreaterThan(3)
    expect(proxy.sent).toBeLessThan(imageBytes * 1.1)
  })
})

/** Kills a push after up to so many bytes; false when it won. */
async function pushAndKill(proxy: CountingProxy, within: number): Promise<boolean> {
  const name = `${proxy.host}/pushed/app:1`
  expect(await katman(root, 'tag', image.reference, name)).toMatchObject({ exitCode: 0 })
  const point = proxy.sent + Math.ceil(random() * within)
  const running = startKatman(root, ['push', name])
  proxy.onSent = (sent) => {
    if (sent >= point) running.child.kill('SIGKILL')
  }
  const { signal, exitCode, stderr } = await running.finished
  proxy.onSent = undefined
  if (signal === 'SIGKILL') {
    // A registry that still reads what was sent would be asked too early.
    await proxy.quiet()
    return true
  }
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  return false
}

/** A push that nobody kills; then the registry and the store are looked at. */
async function finish(proxy: CountingProxy, host: string): Promise<void> {
  const name = `${proxy.host}/pushed/app:1`
  const pushed = await katman(root, 'push', name)
  expect(pushed).toMatchObject({ exitCode: 0, stderr: '' })
  expect(pushed.stdout).toContain(`1: digest: ${image.digest} size: `)
  const copied = path.join(folder, host)
  const places = [`docker://${host}/pushed/app:1`, `oci:${copied}:1`]
  await runChecked('/usr/bin/skopeo', ['copy', '-q', '--src-tls-verify=false', ...places])
  const checked = await katman(root, 'fsck', '--hash')
  expect(checked.stdout).toMatch(/clean\n$/)
  expect((await katman(root, 'rmi', name)).exitCode).toBe(0)
}

/** Bytes of the layers that the registry does not have. */
async function missingBytes(host: string): Promise<number> {
  let missing = 0
  for (const { digest, size } of image.layers) {
    const url = `http://${host}/v2/pushed/app/blobs/${digest}`
    const { status } = await fetch(url, { method: 'HEAD' })
    if (status !== 200) missing += size
  }
  return missing
}
