import { realpath } from 'node:fs/promises'
import type { Descriptor, Reference } from '@katman/oci'
import type { PolicySubject } from '@katman/sign'
import type { Source } from '@katman/transfer'
import type { Context } from './context.ts'
import type { PlaceName } from './copy-places.ts'
import { policyFile } from './policy-file.ts'

/** An image that a command is about to take from somewhere. */
export interface Taken {
  readonly source: Source
  readonly root: Descriptor
  /** The entries of an index that are taken, when these alone are. */
  readonly chosen?: () => Promise<readonly Descriptor[]>
  /** The name in a registry, or the place and the names an archive gives. */
  readonly from: { readonly registry: Reference } | FilePlace
}

interface FilePlace {
  readonly transport: 'oci' | 'oci-archive' | 'docker-archive'
  /** Undefined for standard input. */
  readonly file: string | undefined
  readonly name?: string | undefined
  /** Each must be admitted. */
  readonly references?: readonly Reference[]
}

/**
 * Asks this user's signature policy, before anything is written. Without a policy everything may be taken, as with
 * docker. Throws `POLICY_REJECTED`, `POLICY_INVALID`.
 */
export async function admit(context: Context, taken: Taken): Promise<void> {
  const file = policyFile(context.env)
  if (file === undefined) return
  const { admitImage, readPolicy } = await import('@katman/sign')
  const policy = await readPolicy(file)
  const { from, ...image } = taken
  for (const subject of await subjectsOf(from)) {
    await admitImage(policy, { ...image, subject }, { signal: context.signal })
  }
}

/** What a place of `cp` is to the policy. The local store holds only what was admitted. */
export function policyPlace(place: PlaceName, reference?: Reference): Taken['from'] | undefined {
  if ('reference' in place) {
    return place.kind === 'store' ? undefined : { registry: reference ?? place.reference }
  }
  const references = reference === undefined ? [] : [reference]
  if (place.kind === 'stream') return { transport: 'docker-archive', file: undefined, references }
  return { transport: place.kind, file: place.path, name: place.name, references }
}

async function subjectsOf(from: Taken['from']): Promise<readonly PolicySubject[]> {
  const { fileSubject, registrySubject } = await import('@katman/sign')
  if ('registry' in from) return [registrySubject(from.registry)]
  const { transport, file, name, references = [] } = from
  const real = file === undefined ? '-' : await realpath(file)
  const names = references.length === 0 ? [undefined] : references
  return names.map((reference) => fileSubject(transport, real, { name, reference }))
}
