import { KatmanError } from '@katman/oci'
import { nameLength, shownName } from './tar-name.ts'

/** The bounds of names in a layer, in bytes: those of Linux. */
export const maxPathBytes = 4096
const maxComponentBytes = 255
const maxDepth = 1024

/** The path of the root directory of a layer. */
export const rootPath = '.'

/**
 * The clean path of a name in a layer: no leading, doubled or trailing slash and no `.`; the root itself is `.`.
 * Backslashes and colons are plain characters. Throws `LAYER_PATH_INVALID` for an empty name, NUL, any `..`, a
 * component of more than 255 bytes, a path of more than 4096 bytes or 1024 components.
 */
export function cleanPath(name: string): string {
  // The usual name is clean already or but for `./` in front and `/` behind.
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (name === '') throw pathInvalid(name, 'the name is empty')
  if (name.includes('\0')) throw pathInvalid(name, 'there is a NUL in the name')
  if (parts.length > maxDepth) throw pathInvalid(name, `more than ${maxDepth} components`)
  for (const part of parts) {
    if (part === '..') throw pathInvalid(name, 'the name leads upwards (..)')
    if (part.length > maxComponentBytes / 3 && nameLength(part) > maxComponentBytes) {
      throw pathInvalid(name, `a component has more than ${maxComponentBytes} bytes`)
    }
  }
  const path = parts.join('/')
  if (path.length > maxPathBytes / 3 && nameLength(path) > maxPathBytes) {
    throw pathInvalid(name, `more than ${maxPathBytes} bytes`)
  }
  return path === '' ? rootPath : path
}

/** The last component of a clean path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The clean path of the directory that a clean path is in. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? rootPath : path.slice(0, slash)
}

export function pathInvalid(name: string, reason: string): KatmanError {
  return new KatmanError('LAYER_PATH_INVALID', `layer, entry ${shownName(name)}: ${reason}`, {
    hint: 'the layer was made wrongly or to deceive; it is not used',
    details: { entry: name.slice(0, maxPathBytes), reason },
  })
}
