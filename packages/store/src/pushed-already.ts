import { type Descriptor, isIndexType, isKatmanError, type Reference } from '@katman/oci'
import { isTagReader, type NamingTarget } from '@katman/transfer'
import { layersBelow, type PushedLayer, readIndex } from './push-layers.ts'
import type { PushOptions } from './push-image.ts'
import type { ReferenceRecord } from './records.ts'
import type { Store } from './store.ts'

/**
 * True when the tag stands for the very same content at the target already: a registry takes a manifest only when it
 * has what it points to. One question, and no lease, because nothing of the store is sent. Reports the layers that are
 * here as present.
 */
export async function findPushed(
  store: Store,
  target: NamingTarget,
  { reference, record }: { readonly reference: Reference; readonly record: ReferenceRecord },
  options: PushOptions,
): Promise<boolean> {
  const { platform, referrers, signal } = options
  if (platform !== undefined || referrers === true || !isTagReader(target)) return false
  const digest = await target.readTag(reference.tag ?? '', { signal })
  if (digest !== record.target.digest) return false
  const { onLayers, onEvent } = options
  if (onLayers === undefined && onEvent === undefined) return true
  const layers = await layersHere(store, record.target)
  onLayers?.(layers)
  for (const { descriptor } of layers) onEvent?.({ type: 'present', descriptor })
  return true
}

/** The layers of what can be read here: of an index perhaps only one image. */
async function layersHere(store: Store, root: Descriptor): Promise<readonly PushedLayer[]> {
  try {
    if (!isIndexType(root.mediaType)) return await layersBelow(store, root, () => true)
    const { manifests } = await readIndex(store, root)
    return (await Promise.all(manifests.map((entry) => layersHere(store, entry)))).flat()
  } catch (error) {
    if (isKatmanError(error)) return []
    throw error
  }
}
