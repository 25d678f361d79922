import type { Digest } from '@katman/oci'
import type { Change } from '../change.ts'
import { addBlobContent, type BlobContent, linkBlob } from '../metadata/blobs.ts'
import { removeUpload, type UploadRow } from '../metadata/uploads.ts'
import { Refusal } from '../refusal.ts'
import { type Asked, changeRepository, type DistributionContext } from './context.ts'

export interface BlobToStore {
  readonly digest: Digest
  readonly size: number
  /** Verified by the caller; a finished object, which is this function's from now on. */
  readonly content: BlobContent
  readonly how: Extract<Change, { kind: 'blob-linked' }>['how']
  /** The upload that ends with it. */
  readonly upload?: Pick<UploadRow, 'id' | 'epoch'> | undefined
}

/** Gives a repository a blob. When the content is there already, the caller's object is deleted. */
export async function storeBlob(
  context: DistributionContext,
  repositoryName: string,
  { digest, size, content, how, upload }: BlobToStore,
  asked: Asked,
): Promise<void> {
  const unneeded = await changeRepository(context, repositoryName, asked, async (writing) => {
    const { transaction, repository } = writing
    if (upload !== undefined && !(await removeUpload(transaction, upload))) throw otherWriter()
    const blob = { digest, size, content, now: asked.at }
    const { isUsed, replacedKey } = await addBlobContent(transaction, blob)
    const isNew = await linkBlob(transaction, {
      repositoryId: repository.id,
      digest,
      now: asked.at,
      leaseUntil: asked.at + context.limits.leaseMs,
    })
    await writing.tell({ kind: 'blob-linked', digest, size, how, isNew })
    if (!isUsed) return 'key' in content ? content.key : undefined
    return replacedKey
  })
  if (unneeded !== undefined) await context.objects.delete([unneeded])
}

export function otherWriter(): Refusal {
  return new Refusal(409, 'BLOB_UPLOAD_INVALID', 'another request writes to this upload')
}
