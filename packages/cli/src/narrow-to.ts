import {
  type Descriptor,
  type Digest,
  type Index,
  isIndexType,
  KatmanError,
  type Platform,
} from '@katman/oci'
import { chooseBelow } from '@katman/store'
import type { CallOptions } from '@katman/transfer'
import { type OpenedSource, placeInvalid, readIndex } from './copy-places.ts'

/** Nested indexes are followed this deep, and so many of them in all. */
const maxDepth = 4
const maxIndexes = 1000

/**
 * Goes down to the image of one platform; nested indexes without it are passed over. Throws `PLATFORM_UNKNOWN`, listing
 * what all of them have, and `GRAPH_LIMIT`. `known` is the root index, when the caller has read it.
 */
export async function narrowTo(
  { source, root }: Pick<OpenedSource, 'source' | 'root'>,
  platform: Platform,
  { known, ...call }: CallOptions & { readonly known?: Index } = {},
): Promise<Descriptor> {
  const choice = chooseBelow(root, platform)
  const passed = new Set<Digest>()
  async function below(descriptor: Descriptor, depth: number): Promise<Descriptor | undefined> {
    if (!isIndexType(descriptor.mediaType)) return descriptor
    if (depth === maxDepth) throw graphLimit(descriptor, `indexes nest deeper than ${maxDepth}`)
    if (passed.has(descriptor.digest)) return undefined
    if (passed.size === maxIndexes) throw graphLimit(root, `more than ${maxIndexes} nested indexes`)
    passed.add(descriptor.digest)
    const index = (depth === 0 ? known : undefined) ?? (await readIndex(source, descriptor, call))
    for (const entry of choice.select(index, descriptor)) {
      const found = await below(entry, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  const found = await below(root, 0)
  if (found !== undefined) return found
  throw choice.unknown() ?? placeInvalid(source.name, 'its indexes are empty')
}

function graphLimit({ digest }: Descriptor, reason: string): KatmanError {
  return new KatmanError('GRAPH_LIMIT', `${digest}: ${reason}`, {
    hint: 'the image is made wrongly or to deceive; it is not read',
    details: { digest },
  })
}
