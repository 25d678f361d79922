import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseReference } from '@katman/oci'
import { defaultSettings, type RemoteSettings } from '@katman/remote'
import {
  checkStore,
  openStore,
  pullImage,
  pushImage,
  type ReferenceRecord,
  type Store,
} from '@katman/store'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { redirected } from '../hostile/faults.ts'
import { addImage, platform } from '../hostile/hostile-image.ts'
import { type HostileRegistry, startHostileRegistry } from '../hostile/hostile-registry.ts'
import { openClient } from './client.ts'
import { createFaultTable, outcomeOf } from './fault-table.ts'
import { openBlackHole } from './full-backlog.ts'

// Registries that cannot be reached, or not be trusted. Nothing of them can be seen in the store afterwards.

/** Where a client is sent to. */
interface Reached {
  readonly host: string
  readonly settings?: RemoteSettings
}

interface ConnectFault {
  readonly name: string
  readonly outcome: string
  readonly open: (stack: AsyncDisposableStack) => Promise<Reached>
}

const kinds: readonly ConnectFault[] = [
  {
    name: 'refused',
    outcome: 'CONNECTION_REFUSED',
    open: async () => {
      const registry = await startHostileRegistry()
      await registry[Symbol.asyncDispose]()
      return registry
    },
  },
  {
    name: 'black hole',
    outcome: 'TIMEOUT',
    open: async (stack) => stack.use(await openBlackHole()),
  },
  {
    name: 'no such name',
    outcome: 'HOST_NOT_FOUND',
    open: async () => named(80, () => failed('ENOTFOUND')),
  },
  {
    name: 'name service fails once',
    outcome: 'ok',
    open: async (stack) => {
      const { port } = new URL((await honest(stack)).url)
      let asked = 0
      return named(Number(port), () => (asked++ === 0 ? failed('EAI_AGAIN') : ['127.0.0.1']))
    },
  },
  {
    name: 'one dead address of two',
    outcome: 'ok',
    open: async (stack) => {
      const { port } = new URL((await honest(stack)).url)
      return named(Number(port), () => ['127.0.0.2', '127.0.0.1'])
    },
  },
  {
    name: 'certificate expired',
    outcome: 'TLS_ERROR',
    open: async (stack) => secure(stack, 'expired', true),
  },
  {
    name: 'certificate of another name',
    outcome: 'TLS_ERROR',
    open: async (stack) => secure(stack, 'other-name', true),
  },
  {
    name: 'certificate of nobody we know',
    outcome: 'TLS_ERROR',
    open: async (stack) => secure(stack, 'loopback', false),
  },
  {
    name: 'handshake stalls',
    outcome: 'TIMEOUT',
    open: async (stack) => {
      const server = createServer()
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve)
      })
      stack.defer(() => void server.close())
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a server that listens on TCP has such an address
      const { port } = server.address() as AddressInfo
      return { host: `127.0.0.1:${port}`, settings: overTls(`127.0.0.1:${port}`) }
    },
  },
  {
    name: 'redirect from https to http',
    outcome: 'REDIRECT_REFUSED',
    open: async (stack) => {
      const { registry, reached } = await secureRegistry(stack, 'loopback', true)
      const plain = await honest(stack)
      registry.disturb(
        /team\/app/,
        redirected((where) => plain.url + where),
      )
      return reached
    },
  },
]

const table = createFaultTable('connection', ['pull', 'push'])
let root: string
let store: Store
let record: ReferenceRecord

beforeAll(async () => {
  root = await temporary()
  store = await openStore({ root, workers: 0 })
  await using stack = new AsyncDisposableStack()
  const { host } = await honest(stack)
  await using client = openClient()
  const reference = parseReference(`${host}/team/app:latest`)
  await pullImage(store, client.repository(reference), reference, { platform })
  const [first] = await store.references()
  if (first === undefined) throw new TypeError('not pulled')
  record = first
})
afterEach(() => {
  vi.restoreAllMocks()
})
afterAll(async () => {
  table.print()
  await store[Symbol.asyncDispose]()
  await rm(root, { recursive: true, force: true })
})

describe.skipIf(process.platform !== 'linux')('a registry that cannot be reached', () => {
  it.each(kinds)('$name', async ({ name, outcome, open }) => {
    await using stack = new AsyncDisposableStack()
    const { host, settings = defaultSettings } = await open(stack)
    const reference = parseReference(`${host}/team/app:latest`)
    const client = stack.use(openClient({ isImpatient: true, settings }))

    const folder = await temporary()
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const empty = stack.use(await openStore({ root: folder, workers: 0 }))
    const pull = (): Promise<unknown> =>
      pullImage(empty, client.repository(reference), reference, { platform })
    table.record(name, 'pull', await outcomeOf(pull))
    expect(await empty.images()).toHaveLength(outcome === 'ok' ? 1 : 0)
    expect((await checkStore(empty, { level: 'hash' })).problems).toEqual([])

    const names = (await store.references()).length
    const push = (): Promise<unknown> =>
      pushImage(store, client.repository(reference), { reference, record })
    table.record(name, 'push', await outcomeOf(push))
    if (outcome !== 'ok') expect(await store.references()).toHaveLength(names)
    expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
    expect(table.row(name)).toBe(outcome)
  })
})

async function honest(stack: AsyncDisposableStack): Promise<HostileRegistry> {
  const registry = stack.use(await startHostileRegistry())
  await addImage(registry.storage)
  return registry
}

function failed(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code })
}

/** A host that has a name, which this process alone can look up. */
function named(port: number, lookup: () => readonly string[] | NodeJS.ErrnoException): Reached {
  const dns = process.getBuiltinModule('node:dns')
  type Told = (error: Error | null, found?: string | object[], family?: number) => void
  const answer = (_name: string, options: { readonly all?: boolean }, told: Told): void => {
    const found = lookup()
    if (found instanceof Error) told(found)
    else if (options.all)
      told(
        null,
        found.map((address) => ({ address, family: 4 })),
      )
    else told(null, found[0], 4)
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no other form of it is called here
  vi.spyOn(dns, 'lookup').mockImplementation(answer as unknown as typeof dns.lookup)
  const host = `registry.test:${port}`
  const rule = { prefix: host, mirrors: [], origin: { host, scheme: 'http' } } as const
  return { host, settings: { ...defaultSettings, rules: [rule] } }
}

async function secure(
  stack: AsyncDisposableStack,
  certificate: string,
  isTrusted: boolean,
): Promise<Reached> {
  return (await secureRegistry(stack, certificate, isTrusted)).reached
}

async function secureRegistry(
  stack: AsyncDisposableStack,
  certificate: string,
  isTrusted: boolean,
): Promise<{ readonly registry: HostileRegistry; readonly reached: Reached }> {
  const folder = path.resolve(
    import.meta.dirname,
    certificate === 'loopback' ? '../../packages/remote/test/fixtures' : 'fixtures',
  )
  const cert = await readFile(path.join(folder, `${certificate}.crt`), 'utf8')
  const key = await readFile(path.join(folder, `${certificate}.key`), 'utf8')
  const registry = stack.use(await startHostileRegistry({ tls: { cert, key } }))
  await addImage(registry.storage)
  const settings = overTls(registry.host, isTrusted ? cert : undefined)
  return { registry, reached: { host: registry.host, settings } }
}

function overTls(host: string, ca?: string): RemoteSettings {
  return {
    ...defaultSettings,
    rules: [
      {
        prefix: host,
        mirrors: [],
        origin: { host, scheme: 'https', insecure: false, skipVerify: false },
      },
    ],
    ...(ca === undefined ? {} : { tls: new Map([[host, { ca: [ca] }]]) }),
  }
}

function temporary(): Promise<string> {
  return mkdtemp(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'katman-faults-'))
}
