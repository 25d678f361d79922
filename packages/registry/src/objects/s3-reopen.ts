import { lost, type PartTag, type S3Bucket } from './s3-bucket.ts'
import { leastPartBytes } from './s3-parts.ts'

/** How much the server copies into one part; it could be five times that. */
const copyBytes = 1024 * 1024 * 1024

/**
 * Begins an upload again that was finished, to read it, and now goes on: the first bytes of its object become the parts of
 * another one, without a way through this process.
 */
export async function reopenParts(
  bucket: S3Bucket,
  name: string,
  size: number,
): Promise<{ readonly id: string; readonly tags: PartTag[] }> {
  if (((await bucket.sizeOf(name)) ?? -1) < size) throw lost(name)
  const id = await bucket.beginParts(name)
  const tags: PartTag[] = []
  try {
    for (let start = 0; start < size;) {
      // The last one takes along what would be too little for a part.
      const end = size - start < copyBytes + leastPartBytes ? size : start + copyBytes
      tags.push(await bucket.copyPart(name, id, tags.length + 1, { start, end }))
      start = end
    }
    return { id, tags }
  } catch (error) {
    await bucket.abortParts(name, id).catch(() => undefined)
    throw error
  }
}
