import { type Digest, isDigest, parseManifest } from '@katman/oci'
import type { Queries } from '../database/database.ts'
import { findManifest } from '../metadata/manifests.ts'
import { Refusal } from '../refusal.ts'
import type { Cleaner } from './cleaner.ts'
import { findDeleted, listTagChanges } from './deleted.ts'

/** Puts a manifest into its repository as a push does, with its tags. */
export type StoreManifest = (
  repository: string,
  manifest: {
    readonly digest: Digest
    readonly mediaType: string
    readonly bytes: Uint8Array
    readonly tags: readonly string[]
  },
  actor: string | undefined,
) => Promise<void>

/**
 * Brings back a deleted manifest by its digest, with the entries of an index, or what a tag stood for before it was moved or deleted
 * last. The digest that is there again.
 *
 * @throws Refusal `MANIFEST_UNKNOWN` for what cannot come back.
 */
export async function undelete(
  { database, now }: Pick<Cleaner, 'database' | 'now'>,
  store: StoreManifest,
  {
    repository,
    reference,
    actor,
  }: {
    readonly repository: string
    readonly reference: string
    readonly actor: string | undefined
  },
): Promise<Digest> {
  if (isDigest(reference)) {
    await bringBack({ queries: database, store, now: now(), repository, actor }, reference, [])
    return reference
  }
  const [last] = await listTagChanges(database, { repository, tag: reference, limit: 1 })
  if (last === undefined || last.previous === null) throw unknown(reference)
  const { previous } = last
  await bringBack({ queries: database, store, now: now(), repository, actor }, previous, [
    reference,
  ])
  return previous
}

interface Bringing {
  readonly queries: Queries
  readonly store: StoreManifest
  readonly now: number
  readonly repository: string
  readonly actor: string | undefined
}

async function bringBack(
  bringing: Bringing,
  digest: Digest,
  tags: readonly string[],
): Promise<void> {
  const { queries, store, now, repository, actor } = bringing
  const there = await findManifest(queries, repository, digest)
  const found = there ?? (await findDeleted(queries, { repository, digest, now }))
  if (found === undefined) throw unknown(digest)
  const { mediaType, bytes } = found
  const document = parseManifest(bytes, mediaType)
  if (document.kind === 'index') {
    for (const child of document.manifests) {
      // An index may name what was never here.
      const gone = await findDeleted(queries, { repository, digest: child.digest, now })
      if (gone !== undefined) await bringBack(bringing, child.digest, [])
    }
  }
  if (there === undefined || tags.length > 0) {
    await store(repository, { digest, mediaType, bytes, tags }, actor)
  }
}

function unknown(reference: string): Refusal {
  return new Refusal(
    404,
    'MANIFEST_UNKNOWN',
    `${reference} cannot be brought back: it is gone for good`,
    {
      detail: { reference },
    },
  )
}
