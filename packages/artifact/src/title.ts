import { KatmanError } from '@katman/oci'

/** The annotations of a layer that is a file or a folder. */
export const titleKey = 'org.opencontainers.image.title'
export const unpackKey = 'io.deis.oras.content.unpack'
export const contentDigestKey = 'io.deis.oras.content.digest'

/**
 * The parts of a relative path that stays where it starts; `.` and doubled slashes are dropped. Throws
 * `ARTIFACT_PATH_INVALID`.
 */
export function pathParts(path: string): readonly string[] {
  if (path.startsWith('/')) throw pathInvalid(path, 'it is absolute')
  if (path.includes('\0')) throw pathInvalid(path, 'there is a NUL in it')
  // What is a plain character here leads upwards on Windows.
  if (path.includes('\\')) throw pathInvalid(path, 'there is a backslash in it')
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.length === 0) throw pathInvalid(path, 'it names nothing')
  if (parts.includes('..')) throw pathInvalid(path, 'it leads upwards (..)')
  if (Buffer.byteLength(path) > 4096) throw pathInvalid(path.slice(0, 100), 'it is too long')
  return parts
}

/** The error for a name no file may get. */
export function pathInvalid(path: string, reason: string): KatmanError {
  return new KatmanError('ARTIFACT_PATH_INVALID', `${JSON.stringify(path)}: ${reason}`, {
    hint: 'names of an artifact are relative and stay in their folder',
    details: { path, reason },
  })
}
