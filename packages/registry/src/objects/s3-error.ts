import { isKatmanError, KatmanError } from '@katman/oci'

/** What the S3 client throws, as the registry knows it: to be tried again later, or not. */
export function storageError(error: unknown): KatmanError {
  if (isKatmanError(error)) return error
  const status = statusOf(error)
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  // Without a status there was no answer at all.
  if (status === undefined || status >= 500 || status === 429) {
    return new KatmanError(
      'STORAGE_UNAVAILABLE',
      `the object storage cannot be reached: ${reason}`,
      {
        cause: error,
        hint: 'try again; check that the object storage runs',
      },
    )
  }
  return new KatmanError('STORAGE_FAILED', `the object storage refused a request: ${reason}`, {
    cause: error,
    hint: 'check the bucket, its region, and what the key may do with it',
  })
}

/** Whether there is no such object, upload or part. */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof Error) || error.name === 'NoSuchBucket') return false
  return (
    ['NoSuchKey', 'NoSuchUpload', 'NotFound', 'InvalidPart'].includes(error.name) ||
    statusOf(error) === 404
  )
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const { $metadata: metadata } = error
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata))
    return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
