import {
  childrenOf,
  type Descriptor,
  isIndexType,
  isManifestType,
  parseManifest,
} from '@katman/oci'
import type { Change, ChangeListener } from '../change.ts'
import type { Transaction } from '../database/database.ts'
import type { CleanupTimes } from './cleaner.ts'
import { enqueueReview, type Review } from '../metadata/reviews.ts'

/** Queues a look at everything that a change may have made garbage. */
export function createReviewListener({ reviewAfterMs, untaggedMs }: CleanupTimes): ChangeListener {
  return async (transaction, change) => {
    const event = change.kind
    const repositoryId = change.repository.id
    const link = (digest: string): Suspect => ({ kind: 'link', repositoryId, digest })
    const manifest = (digest: string): Suspect => ({ kind: 'manifest', repositoryId, digest })
    // What has no tag is looked at only where it may go.
    const manifestAt = untaggedMs === undefined ? undefined : change.at + untaggedMs

    const queue = async (suspects: readonly Suspect[], reviewAfter: number | undefined) => {
      if (reviewAfter === undefined) return
      for (const one of suspects) await enqueueReview(transaction, { ...one, event, reviewAfter })
    }

    switch (change.kind) {
      case 'blob-linked':
        // A look before the lease is over puts it off until then.
        return queue([link(change.digest)], change.at + reviewAfterMs)
      case 'blob-unlinked':
        return queue([{ kind: 'blob', repositoryId: 0, digest: change.digest }], change.at)
      case 'manifest-put':
        // Again, too: the index that will name it comes after it.
        return queue([manifest(change.digest)], manifestAt)
      case 'tag-deleted':
        return queue([manifest(change.digest)], manifestAt)
      case 'tag-set':
        return change.previous === undefined || change.previous === change.digest
          ? undefined
          : queue([manifest(change.previous)], manifestAt)
      case 'manifest-deleted': {
        const { blobs, children } = contentOf(change)
        await queue(blobs.map(link), change.at + reviewAfterMs)
        if (manifestAt === undefined) return
        const referrers = await listReferrers(transaction, repositoryId, change.digest)
        await queue([...new Set([...children, ...referrers])].toSorted().map(manifest), manifestAt)
        return
      }
      default:
        return
    }
  }
}

type Suspect = Pick<Review, 'kind' | 'repositoryId' | 'digest'>

/** What a manifest names, each once and sorted: rows are locked in one order. */
export function contentOf({
  bytes,
  mediaType,
}: Pick<Extract<Change, { kind: 'manifest-deleted' }>, 'bytes' | 'mediaType'>): {
  readonly blobs: readonly string[]
  readonly children: readonly string[]
} {
  const document = parseManifest(bytes, mediaType)
  const named = childrenOf(document)
  if (document.kind === 'manifest') return { blobs: digestsOf(named), children: [] }
  // An index may list blobs too: a build cache does. Whether an entry of another type is a manifest, only its row said.
  const blobs = named.filter(({ mediaType: type }) => !isManifestType(type) && !isIndexType(type))
  return { blobs: digestsOf(blobs), children: digestsOf(named) }
}

function digestsOf(descriptors: readonly Descriptor[]): readonly string[] {
  return [...new Set(descriptors.map(({ digest }) => digest))].toSorted()
}

async function listReferrers(
  transaction: Transaction,
  repositoryId: number,
  digest: string,
): Promise<readonly string[]> {
  const rows = await transaction.all<{ readonly digest: string }>(
    'SELECT digest FROM manifests WHERE repository_id = ? AND subject = ?',
    [repositoryId, digest],
  )
  return rows.map((row) => row.digest)
}
