import { createHash } from 'node:crypto'
import { tarBytes } from '@katman/layer'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CountingProxy, startCountingProxy } from '../faults/counting-proxy.ts'
import { addImage, digestOf } from '../hostile/hostile-image.ts'
import { katman, removeFolder, startKatman, temporaryFolder } from '../reliability/program.ts'

// A push that is killed, as a process of its own: what the registry has got is not sent again.

const layer = createHash('shake256', { outputLength: 12_000_000 }).update('killed').digest()

let root: string
let registry: RegistryServer
let proxy: CountingProxy
let digest: string

beforeEach(async () => {
  root = await temporaryFolder()
  const storage = await openMemoryStorage()
  const bytes = tarOf(layer)
  const image = await addImage(storage, {
    layer: { bytes, diffID: digestOf(bytes), mediaType: 'application/vnd.oci.image.layer.v1.tar' },
  })
  digest = image.index.digest
  registry = await serveRegistry({ storage })
  proxy = await startCountingProxy(registry.host)
  const pulled = await katman(root, 'pull', '-q', '--platform', 'all', `${proxy.host}/team/app`)
  expect(pulled).toMatchObject({ exitCode: 0, stderr: '' })
  await katman(root, 'tag', `${proxy.host}/team/app`, `localhost:${proxy.host.split(':')[1]}/moved`)
  proxy.sent = 0
})
afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  await registry.close()
  await removeFolder(root)
})

describe('a push that is killed', () => {
  it.each(['push', 'cp'])(
    'is gone on with by the next %s, in whatever process',
    async (command) => {
      const name = `localhost:${proxy.host.split(':')[1]}/moved`
      const words =
        command === 'push' ? ['push', name] : ['cp', `store:${name}`, `docker://${name}`]
      for (const point of [3_000_000, 8_000_000]) {
        const running = startKatman(root, words)
        proxy.onSent = (sent) => {
          if (sent >= point) running.child.kill('SIGKILL')
        }
        expect(await running.finished).toMatchObject({ signal: 'SIGKILL' })
        await proxy.quiet()
      }
      proxy.onSent = undefined
      const pushed = await katman(root, ...words)
      expect(pushed.exitCode).toBe(0)
      if (command === 'push') {
        expect(pushed.stderr).toBe('')
        expect(pushed.stdout).toContain(`latest: digest: ${digest} size: `)
      }
      expect(proxy.sent).toBeGreaterThan(layer.byteLength)
      expect(proxy.sent).toBeLessThan(layer.byteLength * 1.1)
      expect((await katman(root, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
      expect((await katman(root, 'gc')).exitCode).toBe(0)
    },
  )
})

function tarOf(content: Uint8Array): Uint8Array {
  return tarBytes([{ name: 'usr/share/noise', content }])
}
