import { KatmanError } from '@katman/oci'
import type { Files } from './files.ts'
import type { Layout } from './layout.ts'
import type { Lease } from './lease.ts'
import type { LayerIndexer } from './layer-indexer.ts'

/** What the parts of one open store share. */
export interface StoreContext {
  /** What messages call the store. */
  readonly name: string
  readonly layout: Layout
  readonly files: Files
  readonly now: () => Date
  /** Free bytes that a write must leave. */
  readonly minFreeBytes: number
  /** Why nothing may be written; undefined when it may. */
  readOnly: string | undefined
  /** This handle's lease, made at its first use. */
  readonly lease: () => Lease
  readonly indexer: () => LayerIndexer
  /** Bytes that writes of this handle have announced and not yet written. */
  announcedBytes: number
  /** Writes under way in this handle, by digest. */
  readonly writing: Map<string, Promise<void>>
}

/** Throws `STORE_READ_ONLY` when nothing may be written. */
export function requireWritable(context: StoreContext): void {
  if (context.readOnly === undefined) return
  throw new KatmanError(
    'STORE_READ_ONLY',
    `the store ${context.layout.root} cannot be written: ${context.readOnly}`,
    { details: { root: context.layout.root, reason: context.readOnly } },
  )
}
