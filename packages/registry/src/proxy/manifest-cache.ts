import { type Descriptor, type Digest, isDigest } from '@katman/oci'
import type { RemoteRepository } from '@katman/remote'
import type { Database } from '../database/database.ts'
import { findChecked, markCached, setChecked, setUsed } from './cache-records.ts'
import type { Content } from './content.ts'
import type { FetchTurns } from './fetch-turns.ts'
import { createSharedWork } from './shared-work.ts'
import { createShortMemory } from './short-memory.ts'
import type { UpstreamClient } from './upstream-client.ts'
import { isMissing } from './is-missing.ts'
import { restRefusal, staleWarning, type Subject, upstreamRefusal } from './upstream-failure.ts'

/** The manifests and tags of upstreams. */
export interface ManifestCache {
  /**
   * Brings what the registry has for a tag or digest up to date. With `isHead` nothing is fetched for it: what is not
   * here comes back described. Throws the `Refusal` that is the answer.
   */
  refresh(wanted: WantedManifest): Promise<Refreshed>
}

interface WantedManifest {
  readonly client: UpstreamClient
  readonly repository: string
  readonly remoteRepository: string
  readonly reference: Digest | string
  readonly isHead: boolean
}

type Refreshed =
  | { readonly kind: 'here'; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'there'; readonly descriptor: Descriptor }

export interface ManifestCacheOptions {
  readonly content: Content
  readonly database: Database
  readonly now: () => number
  readonly turns: FetchTurns
}

const hourMs = 3_600_000

export function createManifestCache(options: ManifestCacheOptions): ManifestCache {
  const { content, database, now, turns } = options
  const work = createSharedWork<Refreshed>()
  /** What the upstream said it does not have: the answer of the first. */
  const missing = createShortMemory<unknown>(now)
  /** What tags stand for that are not here: many clients ask before they pull. */
  const described = createShortMemory<Descriptor>(now)
  const used = createShortMemory<true>(now)

  async function byDigest(wanted: WantedManifest, digest: Digest): Promise<Refreshed> {
    if ((await content.manifest(wanted.repository, digest)) === undefined) {
      return ask(wanted, async (remote) => {
        if (wanted.isHead) {
          const descriptor = await wanted.client.ask(() => remote.resolve(digest))
          return { kind: 'there', descriptor }
        }
        await inTurn(wanted, () => store(wanted, remote, digest))
        return { kind: 'here' }
      })
    }
    touch(wanted, digest)
    return { kind: 'here' }
  }

  async function byTag(wanted: WantedManifest, tag: string): Promise<Refreshed> {
    const { client, repository } = wanted
    const cached = await content.tag(repository, tag)
    if (cached === undefined) return firstTime(wanted, tag)
    touch(wanted, cached)
    const checked = await findChecked(database, repository, tag)
    const { registry, staleAfterSeconds, tagSeconds } = client.upstream
    const age = checked === undefined ? Infinity : now() - checked
    if (age >= 0 && age < tagSeconds * 1000) return { kind: 'here' }
    const rest = client.resting()
    if (rest !== undefined) return { kind: 'here', headers: staleWarning(registry, rest.error) }
    return work.run(`${repository}:${tag}`, async () => {
      try {
        await revalidate(wanted, tag, cached, staleAfterSeconds * 1000)
        return { kind: 'here' }
      } catch (error) {
        if (!isMissing(error)) return { kind: 'here', headers: staleWarning(registry, error) }
        await content.deleteTag(repository, tag)
        throw remember(wanted, error)
      }
    })
  }

  async function revalidate(
    wanted: WantedManifest,
    tag: string,
    cached: Digest,
    ms: number,
  ): Promise<void> {
    const { client, repository } = wanted
    const remote = client.repository(wanted.remoteRepository)
    const known = await content.manifest(repository, cached)
    const descriptor = known && {
      mediaType: known.mediaType,
      digest: cached,
      size: known.bytes.byteLength,
    }
    const found = await client.ask(
      (signal) => remote.resolve(tag, { known: descriptor, signal }),
      ms,
    )
    if (found.digest === cached && known !== undefined) {
      await setChecked(database, repository, tag, now())
      return
    }
    const has = await content.manifest(repository, found.digest)
    if (has === undefined) await store(wanted, remote, found.digest, tag)
    else await content.putManifest(repository, has, { tag })
    await setChecked(database, repository, tag, now())
  }

  async function firstTime(wanted: WantedManifest, tag: string): Promise<Refreshed> {
    const { client, isHead, repository } = wanted
    const key = `${repository}:${tag}`
    const known = isHead ? described.get(key) : undefined
    if (known !== undefined) return { kind: 'there', descriptor: known }
    return ask(wanted, async (remote) => {
      if (isHead) {
        const descriptor = await client.ask(() => remote.resolve(tag))
        described.set(key, descriptor, client.upstream.tagSeconds * 1000)
        return { kind: 'there', descriptor }
      }
      await inTurn(wanted, async () => {
        await store(wanted, remote, tag, tag)
        await setChecked(database, repository, tag, now())
      })
      return { kind: 'here' }
    })
  }

  /** Fetches what is not here, unless another replica does it just now. */
  async function inTurn(
    { reference, repository }: WantedManifest,
    fetch: () => Promise<void>,
  ): Promise<void> {
    const isThere = async () => (await content.manifest(repository, reference)) !== undefined
    const turn = await turns.take({ repository, reference }, isThere)
    if (turn === undefined) return
    try {
      await fetch()
    } finally {
      await turn.end()
    }
  }

  /** Asks once for all who want the same, unless the answer is known to be a failure. */
  async function ask(
    wanted: WantedManifest,
    question: (remote: RemoteRepository) => Promise<Refreshed>,
  ): Promise<Refreshed> {
    const { client, isHead, reference, repository } = wanted
    const failure = missing.get(missingKey(wanted))
    if (failure !== undefined) throw upstreamRefusal(failure, about(wanted))
    const rest = client.resting()
    if (rest !== undefined) throw restRefusal(rest, about(wanted), now())
    return work.run(`${isHead ? 'HEAD ' : ''}${repository}@${reference}`, async () => {
      try {
        return await question(client.repository(wanted.remoteRepository))
      } catch (error) {
        throw remember(wanted, error)
      }
    })
  }

  function remember(wanted: WantedManifest, error: unknown): Error {
    const { missingSeconds } = wanted.client.upstream
    if (isMissing(error)) missing.set(missingKey(wanted), error, missingSeconds * 1000)
    return upstreamRefusal(error, about(wanted))
  }

  /** The bytes are verified by the client; what they name comes when it is asked for. */
  async function store(
    wanted: WantedManifest,
    remote: RemoteRepository,
    reference: string,
    tag?: string,
  ): Promise<void> {
    const { client, repository } = wanted
    const { bytes, descriptor } = await client.ask(() => remote.fetchManifest(reference))
    const { digest, mediaType } = descriptor
    const mark = {
      repository,
      upstream: client.upstream.registry,
      remote: wanted.remoteRepository,
      now: now(),
    }
    // Somebody has pushed to this name a moment ago: it is theirs.
    if (!(await markCached(database, mark))) throw upstreamRefusal(undefined, about(wanted))
    await content.putManifest(repository, { digest, mediaType, bytes }, { tag })
    if (tag !== undefined) described.delete(`${repository}:${tag}`)
    touch(wanted, digest)
  }

  function touch({ repository }: WantedManifest, digest: Digest): void {
    const key = `${repository}@${digest}`
    if (used.get(key) !== undefined) return
    used.set(key, true, hourMs)
    setUsed(database, repository, digest, now()).catch(() => used.delete(key))
  }

  return {
    refresh(wanted) {
      const { reference } = wanted
      return isDigest(reference) ? byDigest(wanted, reference) : byTag(wanted, reference)
    },
  }
}

function missingKey({ repository, reference }: WantedManifest): string {
  return `${repository}@${reference}`
}

function about({ client, reference }: WantedManifest): Subject {
  return { registry: client.upstream.registry, subject: 'manifest', name: reference }
}
