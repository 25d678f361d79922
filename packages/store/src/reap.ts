import path from 'node:path'
import type { Digest } from '@katman/oci'
import { tryClaim } from './claim.ts'
import type { StoreContext } from './context.ts'
import { sizeOf } from './disk-usage.ts'
import { unless } from './files.ts'
import { digestOfFileName } from './layout.ts'
import { ifDead } from './lease.ts'
import { removeTree } from './publish.ts'
import { listed } from './reference-files.ts'
import { reapUploads } from './upload-ledger.ts'

const maxIngestAgeMs = 24 * 60 * 60 * 1000

export interface ReapedIngest {
  readonly kind: 'ingest'
  readonly digest: Digest
  readonly sizeBytes: number
}

/**
 * Removes what dead processes left: their leases and unfinished files, downloads nobody went on with for a
 * day or whose content is complete. Returns those downloads.
 */
export function reapAbandoned(context: StoreContext): readonly ReapedIngest[] {
  reapLeases(context)
  reapTemporary(context)
  reapUnnamed(context)
  reapUploads(context)
  const { layout } = context
  return listed(context, layout.folder('ingest')).flatMap((name) => {
    const digest = digestOfFileName(name)
    return digest === undefined ? [] : reapIngest(context, digest)
  })
}

function reapLeases(context: StoreContext): void {
  const { files, layout } = context
  const own = context.lease().id
  for (const id of listed(context, layout.folder('leases'))) {
    if (id === own) continue
    const file = layout.lease(id)
    ifDead(files, file, () => {
      removeTree(files, layout.temporary(id))
      unless(['ENOENT'], () => files.unlink(file))
    })
  }
}

/** Unfinished files without lease: a lease is made before them and goes after them. */
function reapTemporary(context: StoreContext): void {
  const { files, layout } = context
  for (const id of listed(context, layout.folder('tmp'))) {
    if (files.stat(layout.lease(id)) === undefined) removeTree(files, layout.temporary(id))
  }
}

/** What was left by a process that died while it made the store. */
function reapUnnamed(context: StoreContext): void {
  const { files, layout } = context
  for (const name of listed(context, layout.root)) {
    if (!/^(?:version|reserve)\./.test(name)) continue
    const file = path.join(layout.root, name)
    const facts = files.stat(file)
    if (facts !== undefined && isOlder(context, facts.modifiedAt)) removeTree(files, file)
  }
}

function reapIngest(context: StoreContext, digest: Digest): readonly ReapedIngest[] {
  const { files, layout } = context
  const folder = layout.ingest(digest)
  const facts = files.stat(path.join(folder, 'data')) ?? files.stat(folder)
  if (facts === undefined) return []
  const isComplete = files.stat(layout.blob(digest)) !== undefined
  if (!isComplete && !isOlder(context, facts.modifiedAt)) return []
  if (context.writing.has(digest)) return []
  const sizeBytes = isComplete ? 0 : sizeOf(context, folder)
  const claim = tryClaim(context, folder)
  if (claim === undefined) return []
  claim.release({ keep: false })
  return [{ kind: 'ingest', digest, sizeBytes }]
}

function isOlder(context: StoreContext, modifiedAt: number): boolean {
  return context.now().getTime() - modifiedAt > maxIngestAgeMs
}
