import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { isKatmanError, type KatmanError, parseReference } from '@katman/oci'
import {
  type Clock,
  createRemote,
  type Credential,
  defaultSettings,
  type Remote,
  type RemoteEvent,
  type RemoteOptions,
} from '@katman/remote'
import { checkStore, openStore, pullImage, type PullOptions, type PullResult } from '@katman/store'
import { expect } from 'vitest'
import { type HostileImage, type ImageOptions, addImage, platform } from './hostile-image.ts'
import { type HostileRegistry, startHostileRegistry } from './hostile-registry.ts'

/** A registry with one honest image under `latest`, and a store of its own for the pulls. */
export interface PullSetup extends AsyncDisposable {
  readonly registry: HostileRegistry
  readonly image: HostileImage
  readonly root: string
  /** What the client waited for, in ms. The waits themselves cost nothing. */
  readonly waits: readonly number[]
  readonly events: readonly RemoteEvent[]
  /** A pull of `team/app:latest`, by a client and a store that know nothing of earlier ones. */
  pull(options?: PullChoices): Promise<PullResult>
  /** A pull that must fail; the error, after looking that nothing of it can be seen. */
  refused(options?: PullChoices): Promise<KatmanError>
  /** Listing the tags of `team/app`, which must fail. */
  tagsRefused(): Promise<KatmanError>
  /** The registry behaves, an honest image is pulled, and the store is found whole. */
  recovers(): Promise<void>
}

interface PullChoices {
  readonly tag?: string
  /** Another registry to ask. */
  readonly host?: string
  readonly credential?: Credential
  readonly remote?: Partial<RemoteOptions>
  readonly platform?: PullOptions['platform']
  readonly signal?: AbortSignal
  readonly onEvent?: NonNullable<PullOptions['onEvent']>
}

export async function setUp(
  options: ImageOptions & { readonly tls?: { readonly cert: string; readonly key: string } } = {},
): Promise<PullSetup> {
  const registry = await startHostileRegistry(options)
  const image = await addImage(registry.storage, options)
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const root = await mkdtemp(path.join(parent, 'katman-hostile-'))
  const clock = createTestClock()
  const events: RemoteEvent[] = []

  function openClient(remote: Partial<RemoteOptions> = {}, credential?: Credential): Remote {
    return createRemote({
      settings: defaultSettings,
      credentials: { get: async () => credential },
      userAgent: 'katman-test',
      clock,
      limits: { idleMs: 150, headersMs: 150 },
      onEvent: (event) => void events.push(event),
      ...remote,
    })
  }

  async function pull(choices: PullChoices = {}): Promise<PullResult> {
    const { tag = 'latest', host = registry.host, remote, credential, ...rest } = choices
    await using client = openClient(remote, credential)
    await using store = await openStore({ root, workers: 0 })
    const reference = parseReference(`${host}/team/app:${tag}`)
    const source = client.repository(reference)
    return await pullImage(store, source, reference, { platform, ...rest })
  }

  async function expectEmpty(): Promise<void> {
    await using store = await openStore({ root })
    expect(await store.images()).toEqual([])
    expect(await store.references()).toEqual([])
    expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
  }

  return {
    registry,
    image,
    root,
    waits: clock.waits,
    events,
    pull,
    async refused(choices) {
      const error = await failureOf(pull(choices))
      await expectEmpty()
      return error
    },
    async tagsRefused() {
      await using client = openClient()
      const source = client.repository({ registry: registry.host, repository: 'team/app' })
      return await failureOf(Array.fromAsync(source.tags()))
    },
    async recovers() {
      registry.behave()
      await addImage(registry.storage, { tag: 'honest' })
      const { images } = await pull({ tag: 'honest' })
      expect(images).toHaveLength(1)
      await using store = await openStore({ root })
      expect((await store.references()).map(({ name }) => name)).toContain(
        `${registry.host}/team/app:honest`,
      )
      expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
    },
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await rm(root, { recursive: true, force: true })
    },
  }
}

async function failureOf(work: Promise<unknown>): Promise<KatmanError> {
  try {
    await work
  } catch (error) {
    if (isKatmanError(error)) return error
    throw error
  }
  throw new Error('it succeeded')
}

/** A clock on which sleeping is free and recorded. */
function createTestClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = []
  let now = Date.parse('2026-01-01')
  return {
    waits,
    now: () => now,
    random: () => 0.5,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      waits.push(ms)
      now += ms
    },
  }
}
