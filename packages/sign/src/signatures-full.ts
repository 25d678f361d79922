import { type Digest, KatmanError } from '@katman/oci'
import type { Target } from '@katman/transfer'

/** The error for an image that has as many signatures as are looked at: one more would not count. */
export function signaturesFull({ name }: Target, digest: Digest, limit: number): KatmanError {
  return new KatmanError('SIGNATURES_FULL', `${name}: ${digest} has ${limit} signatures already`, {
    hint: 'more are not looked at: delete those that nobody needs, then sign again',
    details: { digest, limit, place: name },
  })
}
