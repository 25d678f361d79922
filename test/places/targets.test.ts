import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openMemoryStorage, serveRegistry } from '@katman/registry'
import { createRemote, defaultSettings } from '@katman/remote'
import { openStore } from '@katman/store'
import { openMemoryPlace, openOciLayout } from '@katman/transfer'
import { targetSuite } from '../../packages/transfer/test/target-suite.ts'

// Every target of the house, by the same suite.

targetSuite('memory', async () => ({
  place: openMemoryPlace(),
  async [Symbol.asyncDispose]() {},
}))

targetSuite('an OCI layout', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-target-'))
  return {
    place: await openOciLayout(folder, { create: true }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
})

targetSuite('the local store', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-target-'))
  const store = await openStore({ root: path.join(folder, 'store') })
  return {
    place: store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
})

targetSuite('a repository of a registry', async () => {
  const server = await serveRegistry({ storage: openMemoryStorage() })
  const remote = createRemote({
    settings: defaultSettings,
    credentials: { get: async () => undefined },
    userAgent: 'katman-test',
  })
  return {
    place: remote.repository({ registry: server.host, repository: 'test/target' }),
    async [Symbol.asyncDispose]() {
      await remote[Symbol.asyncDispose]()
      await server.close()
    },
  }
})
