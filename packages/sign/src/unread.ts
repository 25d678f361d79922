import { isKatmanError } from '@katman/oci'

/** Something that lies where signatures lie, and is none that reads. */
export class Unread {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** What a single content can be to blame for: anyone who may push could have put it there. */
const faults: ReadonlySet<string> = new Set([
  'BLOB_DAMAGED',
  'BLOB_UNKNOWN',
  'BUNDLE_INVALID',
  'DIGEST_INVALID',
  'DIGEST_MISMATCH',
  'DIGEST_UNSUPPORTED',
  'DOCUMENT_TOO_LARGE',
  'GRAPH_LIMIT',
  'JSON_INVALID',
  'KEY_INVALID',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'MANIFEST_UNSUPPORTED',
  'RESPONSE_INVALID',
  'SIGNATURE_INVALID',
  'SIZE_MISMATCH',
])

/** What does not read is no signature. Throws anything else that went wrong: that is no answer. */
export function unread(error: unknown): Unread {
  if (isKatmanError(error) && faults.has(error.code)) return new Unread(error.message)
  throw error
}
