import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openMemoryStorage, serveRegistry } from '@katman/registry'
import { createRemote, defaultSettings } from '@katman/remote'
import { openStore } from '@katman/store'
import { openMemoryPlace, openOciLayout } from '@katman/transfer'
import { referrerSuite } from '../../packages/transfer/test/referrer-suite.ts'
import { targetSuite } from '../../packages/transfer/test/target-suite.ts'
import { type Fault, startHostileRegistry } from '../hostile/hostile-registry.ts'

// Every target of the house, by the same suites.

const openMemory = async () => ({
  place: openMemoryPlace(),
  async [Symbol.asyncDispose]() {},
})
targetSuite('memory', openMemory)
referrerSuite('memory', openMemory)

const openLayout = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-target-'))
  return {
    place: await openOciLayout(folder, { create: true }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}
targetSuite('an OCI layout', openLayout)
referrerSuite('an OCI layout', openLayout)

const openLocalStore = async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-target-'))
  const store = await openStore({ root: path.join(folder, 'store') })
  return {
    place: store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}
targetSuite('the local store', openLocalStore)
referrerSuite('the local store', openLocalStore)

const openRepository = async () => {
  const server = await serveRegistry({ storage: await openMemoryStorage() })
  return repositoryOf(server.host, () => server.close())
}
targetSuite('a repository of a registry', openRepository)
referrerSuite('a repository of a registry', openRepository)

const withoutReferrers: Readonly<Record<string, Fault>> = {
  'answers 404': ({ send }) =>
    send({ status: 404, headers: { 'content-length': '4' }, body: Buffer.from('none') }),
  'answers something else': ({ send }) =>
    send({
      status: 200,
      headers: { 'content-length': '9', 'content-type': 'text/html' },
      body: Buffer.from('<p>hi</p>'),
    }),
}

for (const [behaviour, fault] of Object.entries(withoutReferrers)) {
  referrerSuite(
    `a repository of a registry that does not know referrers and ${behaviour}`,
    async () => {
      const server = await startHostileRegistry()
      server.disturb(/^GET .*\/referrers\//, fault)
      server.disturb(/^PUT .*\/manifests\//, async ({ honest, send }) => {
        const answer = await honest()
        const { 'oci-subject': _, ...headers } = answer.headers
        send({ ...answer, headers })
      })
      return repositoryOf(server.host, async () => server[Symbol.asyncDispose]())
    },
  )
}

function repositoryOf(registry: string, close: () => Promise<void>) {
  const remote = createRemote({
    settings: defaultSettings,
    credentials: { get: async () => undefined },
    userAgent: 'katman-test',
  })
  return {
    place: remote.repository({ registry, repository: 'test/target' }),
    async [Symbol.asyncDispose]() {
      await remote[Symbol.asyncDispose]()
      await close()
    },
  }
}
