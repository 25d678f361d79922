import { KatmanError } from '@katman/oci'
import type { StoreContext } from './context.ts'

/** Room promised to a write. */
export interface SpaceClaim {
  /** Says that this much of it is on the disk now. */
  written(bytes: number): void
  release(): void
}

/** Announces a write. Throws `STORE_FULL` before anything moves when it cannot fit beside the others. */
export function announceSpace(context: StoreContext, what: string, bytes: number): SpaceClaim {
  const { files, layout, minFreeBytes } = context
  const free = files.freeBytes(layout.root)
  const need = bytes + context.announcedBytes + minFreeBytes
  if (free < need) {
    throw new KatmanError(
      'STORE_FULL',
      `not enough space for ${what}: ${need} bytes needed in ${layout.root}, ${free} bytes free`,
      {
        hint: 'remove images you do not need, or free space on that disk',
        details: { root: layout.root, need, free },
      },
    )
  }
  let left = bytes
  context.announcedBytes += left
  const take = (count: number): void => {
    const taken = Math.min(left, count)
    left -= taken
    context.announcedBytes -= taken
  }
  return { written: take, release: () => take(left) }
}
