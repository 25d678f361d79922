import { KatmanError } from '@katman/oci'

/** The error for an archive that is no image archive, or a damaged one. */
export function archiveInvalid(name: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('ARCHIVE_INVALID', `${name} is no image archive: ${reason}`, {
    hint: 'an image archive is what `katman save` or `docker save` writes, or an OCI layout in a tar file',
    details: { archive: name, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
