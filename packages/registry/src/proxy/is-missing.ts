import { isKatmanError } from '@katman/oci'

const unknownCodes = new Set(['MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'BLOB_UNKNOWN'])

/** True when the upstream says that it is not there, or not for us: both are "no" to a client. */
export function isMissing(error: unknown): boolean {
  if (!isKatmanError(error)) return false
  if (unknownCodes.has(error.code)) return true
  return error.code === 'UNAUTHORIZED' || error.code === 'DENIED'
}
