import { createHash } from 'node:crypto'
import path from 'node:path'
import { type Digest, digestAlgorithm, digestHex, isDigest } from '@katman/oci'
import { type CheckState, report, visit } from './check-state.ts'
import { openBlob, quarantine, restoreBlob } from './blobs.ts'
import { errorCode } from './files.ts'
import { refetch } from './refetch.ts'
import { listed } from './reference-files.ts'

const emptyDigests: ReadonlySet<string> = new Set(
  ['sha256', 'sha384', 'sha512'].map(
    (algorithm) => `${algorithm}:${createHash(algorithm).digest('hex')}`,
  ),
)

/** Checks every blob that is here, then that every needed one is. */
export async function checkBlobs(state: CheckState): Promise<void> {
  const { context } = state
  // Documents were looked at on the way to the others.
  const isKnown = (file: string): boolean => state.problems.some(({ path: at }) => at === file)
  for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
    const folder = context.layout.folder(`blobs/${algorithm}`)
    for (const hex of listed(context, folder)) {
      const file = path.join(folder, hex)
      visit(state, file)
      if (isKnown(file)) continue
      const digest = `${algorithm}:${hex}`
      if (isDigest(digest)) {
        const problem = await problemOf(state, digest, file)
        if (problem !== undefined) await reportBlob(state, digest, file, problem)
      } else {
        await report(
          state,
          { kind: 'blob', path: file, problem: 'is not named by a digest' },
          () => {
            quarantine(context, file, 'blob.stranger')
            return true
          },
        )
      }
    }
  }
  for (const digest of state.needed.keys()) {
    const file = context.layout.blob(digest)
    if (isKnown(file) || context.files.stat(file) !== undefined) continue
    // A collection that was killed may have it in its trash.
    if (context.files.stat(context.layout.trash('blob', digest)) !== undefined) {
      if (state.options.repair !== undefined) await restoreBlob(context, digest)
      continue
    }
    await reportBlob(state, digest, file, 'is missing')
  }
}

async function reportBlob(
  state: CheckState,
  digest: Digest,
  file: string,
  problem: string,
): Promise<void> {
  const { context } = state
  await report(state, { kind: 'blob', path: file, digest, problem }, async () => {
    quarantine(context, file, `blob.${path.basename(file)}`)
    const needed = state.needed.get(digest)
    // What nothing leads to is not missed.
    return needed === undefined || refetch(state, needed)
  })
}

async function problemOf(
  state: CheckState,
  digest: Digest,
  file: string,
): Promise<string | undefined> {
  const { context, options } = state
  const facts = context.files.stat(file)
  if (facts === undefined) return undefined
  if (facts.kind !== 'file') return 'is not a regular file'
  const { size } = state.needed.get(digest)?.descriptor ?? facts
  if (facts.size !== size) return `has ${facts.size} bytes, not ${size}`
  if (size === 0 && !emptyDigests.has(digest)) return 'is empty'
  if (options.level !== 'hash') return undefined
  try {
    const hash = createHash(digestAlgorithm(digest))
    const bytes = await openBlob(context, { mediaType: '', digest, size }, options)
    for await (const chunk of bytes) hash.update(chunk)
    return hash.digest('hex') === digestHex(digest) ? undefined : 'is not the content its name says'
  } catch (error) {
    if (errorCode(error) === 'BLOB_UNKNOWN') return undefined
    throw error
  }
}
