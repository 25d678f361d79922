import { KatmanError } from '@katman/oci'

/** What the files of one artifact may still take. */
export interface UnpackBudget {
  /** Throws `LAYER_TOO_LARGE` when these bytes are too many. */
  spend(bytes: number): void
}

/** `packed` bytes came; they may become `max`. What is not packed gives as much as there is. */
export function createUnpackBudget(packed: number, max: number): UnpackBudget {
  const total = Math.max(packed, max)
  let left = total
  return {
    spend(bytes) {
      left -= bytes
      if (left < 0) throw tooLarge(packed, total)
    },
  }
}

function tooLarge(packed: number, maxBytes: number): KatmanError {
  return new KatmanError(
    'LAYER_TOO_LARGE',
    `more than ${maxBytes} bytes come out of ${packed} bytes of files and folders`,
    {
      hint: 'the artifact was made to fill disks; do not trust where it comes from',
      details: { packed, maxBytes },
    },
  )
}
