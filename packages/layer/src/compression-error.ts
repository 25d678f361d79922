import { KatmanError } from '@katman/oci'

/** The error for compressed bytes that are damaged, cut, or followed by others. */
export function compressionInvalid(reason: string, cause?: unknown): KatmanError {
  return new KatmanError('LAYER_COMPRESSION_INVALID', `compressed layer: ${reason}`, {
    hint: 'the layer was damaged or cut where it was made or on the way',
    details: { reason },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The error for compressed bytes that are right, but of a kind that is not read here. */
export function compressionUnsupported(reason: string, hint: string): KatmanError {
  return new KatmanError('COMPRESSION_UNSUPPORTED', `compressed bytes: ${reason}`, {
    hint,
    details: { reason },
  })
}
