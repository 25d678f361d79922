import type { Digest } from '@katman/oci'
import type { Visitor } from '../access.ts'
import { claimBlobs, findBlob, linkBlob, repositoriesWithBlob } from '../metadata/blobs.ts'
import { isRepositoryName } from '../route.ts'
import { type Asked, changeRepository, type DistributionContext } from './context.ts'

/** So many repositories that have a blob are tried for one that the client may read. */
const maxTried = 200

/**
 * Gives a repository a blob that the client may read in another one: `from`, or any when it names none. False when there is
 * no such blob.
 */
export async function mountBlob(
  context: DistributionContext,
  repositoryName: string,
  { digest, from }: { readonly digest: Digest; readonly from: string | null },
  visitor: Visitor,
  asked: Asked,
): Promise<boolean> {
  const source =
    from === null
      ? await findReadable(context, digest, visitor)
      : isRepositoryName(from) && mayRead(visitor, from)
        ? from
        : undefined
  if (source === undefined) return false
  const there = await findBlob(context.database, source, digest)
  if (there === undefined) return false
  return changeRepository(context, repositoryName, asked, async (writing) => {
    const { transaction, repository } = writing
    // From here on nobody removes it before the link is there.
    const claimed = await claimBlobs(transaction, there.repository.id, [digest])
    const size = claimed.get(digest)
    if (size === undefined) return false
    const isNew = await linkBlob(transaction, {
      repositoryId: repository.id,
      digest,
      now: asked.at,
      leaseUntil: asked.at + context.limits.leaseMs,
    })
    await writing.tell({ kind: 'blob-linked', digest, size, how: 'mount', isNew })
    return true
  })
}

/** Clients ask for a token of the repository they push to, often without the source: then the account's own rights count. */
function mayRead(visitor: Visitor, repository: string): boolean {
  return visitor.may({ repository, actions: ['pull'] }) || visitor.maySee(repository)
}

async function findReadable(
  { database }: DistributionContext,
  digest: Digest,
  visitor: Visitor,
): Promise<string | undefined> {
  const names = await repositoriesWithBlob(database, digest, maxTried)
  return names.find((name) => visitor.maySee(name))
}
