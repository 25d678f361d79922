import {
  childrenOf,
  type Descriptor,
  type Digest,
  isAttestation,
  isImageManifest,
  isIndexType,
  isManifestType,
  KatmanError,
  parseManifest,
} from '@katman/oci'
import { readVerified } from '@katman/transfer'
import type { ImageRecord } from '../records.ts'
import type { Store } from '../store.ts'

/** An image below an index, or a manifest itself, whose manifest is in the store. */
interface ImageBelow {
  readonly descriptor: Descriptor
  /** Digest of its config. */
  readonly id: Digest
}

/** What the targets of names lead to. Each document is read once. */
export interface NamedContent {
  /** The images whose manifests are here, in the order of the index; nested indexes are followed. */
  imagesBelow(target: Descriptor): Promise<readonly ImageBelow[]>
  /** True when the target leads to the image. */
  leadsTo(
    target: Descriptor,
    image: Pick<ImageRecord, 'id' | 'manifest' | 'index'>,
  ): Promise<boolean>
}

const maxDepth = 4

/** The names' indexes are the truth: an image's record knows only the one it was chosen from last. */
export function readNamedContent(store: Store): NamedContent {
  const known = new Map<Digest, Promise<Below>>()
  const below = (target: Descriptor): Promise<Below> => {
    const before = known.get(target.digest)
    if (before !== undefined) return before
    const found = readBelow(store, target)
    known.set(target.digest, found)
    return found
  }
  return {
    imagesBelow: async (target) => (await below(target)).images,
    async leadsTo(target, { id, manifest, index }) {
      if (target.digest === manifest.digest) return true
      if (!isIndexType(target.mediaType)) return false
      const { images, isWhole } = await below(target)
      if (images.some((image) => image.id === id)) return true
      // Of a damaged index the record says what it can.
      return !isWhole && index?.digest === target.digest
    },
  }
}

interface Below {
  readonly images: readonly ImageBelow[]
  /** False when an index or manifest is here and cannot be read. */
  readonly isWhole: boolean
}

async function readBelow(store: Store, target: Descriptor): Promise<Below> {
  const images: ImageBelow[] = []
  let isWhole = true
  const seen = new Set<Digest>()
  const walk = async (descriptor: Descriptor, depth: number): Promise<void> => {
    const { digest, mediaType } = descriptor
    if (depth > maxDepth || seen.has(digest) || isAttestation(descriptor)) return
    if (!isIndexType(mediaType) && !isManifestType(mediaType)) return
    seen.add(digest)
    try {
      const document = parseManifest(await readVerified(store, descriptor), mediaType)
      if (document.kind === 'index') {
        for (const child of childrenOf(document)) await walk(child, depth + 1)
      } else if (isImageManifest(document)) {
        images.push({ descriptor, id: document.config.digest })
      }
    } catch (error) {
      if (!(error instanceof KatmanError)) throw error
      // An index names more than is ever pulled.
      if (error.code !== 'BLOB_UNKNOWN' || depth === 0) isWhole = false
    }
  }
  await walk(target, 0)
  return { images, isWhole }
}
