import { type Descriptor, type Digest, isIndexType, KatmanError, type Platform } from '@katman/oci'
import { chooseBelow } from '@katman/store'
import { type OpenedSource, placeInvalid, readIndex } from './copy-places.ts'

/** Nested indexes are followed this deep. */
const maxDepth = 4

/**
 * Goes down to the image of one platform; nested indexes without it are passed over. Throws `PLATFORM_UNKNOWN`, listing
 * what all of them have, and `GRAPH_LIMIT`.
 */
export async function narrowTo(
  { source, root }: Pick<OpenedSource, 'source' | 'root'>,
  platform: Platform,
): Promise<Descriptor> {
  const choice = chooseBelow(root, platform)
  const passed = new Set<Digest>()
  async function below(descriptor: Descriptor, depth: number): Promise<Descriptor | undefined> {
    if (!isIndexType(descriptor.mediaType)) return descriptor
    if (depth === maxDepth) throw tooDeep(descriptor)
    if (passed.has(descriptor.digest)) return undefined
    passed.add(descriptor.digest)
    for (const entry of choice.select(await readIndex(source, descriptor), descriptor)) {
      const found = await below(entry, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  const found = await below(root, 0)
  if (found !== undefined) return found
  throw choice.unknown() ?? placeInvalid(source.name, 'its indexes are empty')
}

function tooDeep({ digest }: Descriptor): KatmanError {
  return new KatmanError('GRAPH_LIMIT', `${digest}: indexes nest deeper than ${maxDepth}`, {
    hint: 'the image is made wrongly or to deceive; it is not read',
    details: { digest },
  })
}
