import { parseReference, type Reference } from '@katman/oci'
import { CommandFailure, plainFailure } from './failure.ts'

/** The name that `pull` and `push` were given; with `--all-tags` it may have none of its own. */
export function clientReference(name: string, flags: { readonly allTags: boolean }): Reference {
  let reference: Reference
  try {
    reference = parseReference(name)
  } catch (error) {
    throw plainFailure(error)
  }
  if (flags.allTags && (reference.tag !== undefined || reference.digest !== undefined)) {
    throw new CommandFailure("tag can't be used with --all-tags/-a")
  }
  return reference
}
