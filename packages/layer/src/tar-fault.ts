import { KatmanError } from '@katman/oci'
import { shownName } from './tar-name.ts'

/** The codes of the tar reader: against the format, ends too early, over a limit. */
export type TarErrorCode = 'TAR_INVALID' | 'TAR_TRUNCATED' | 'TAR_LIMIT'

/** What is wrong with an archive; the reader adds where and throws a KatmanError. */
export class TarFault extends Error {
  override readonly name = 'TarFault'
  readonly code: TarErrorCode

  constructor(reason: string, code: TarErrorCode = 'TAR_INVALID') {
    super(reason)
    this.code = code
  }
}

/** The error that users see: `details` = `{ entry, offset, reason }`, `offset` in the uncompressed archive. */
export function tarError(fault: TarFault, offset: number, entry: string | undefined): KatmanError {
  const place = entry === undefined ? `byte ${offset}` : `${shownName(entry)} at byte ${offset}`
  const details = { entry, offset, reason: fault.message }
  const message = `tar archive, ${place}: ${fault.message}`
  if (fault.code === 'TAR_TRUNCATED') {
    return new KatmanError('TAR_TRUNCATED', message, {
      hint: 'the archive ends too early; it was cut where it was made or on the way',
      details,
    })
  }
  if (fault.code === 'TAR_LIMIT') {
    return new KatmanError('TAR_LIMIT', message, {
      hint: 'no real image needs this much; do not trust where it comes from',
      details,
    })
  }
  return new KatmanError('TAR_INVALID', message, {
    hint: 'the archive was made wrongly or to deceive; make it again with a current tool',
    details,
  })
}
