import type { Digest } from '@katman/oci'
import type { Store } from '../store.ts'
import type { ImageView } from './image-view.ts'

/** One step of an image's making, as docker's `history` shows it. */
export interface HistoryRow {
  /** The image itself, for its last step. */
  readonly id?: Digest
  /** Undefined when the step has no time. */
  readonly created: Date | undefined
  readonly createdBy: string
  readonly comment: string
  /** Bytes of all files of the step's layer; 0 for a step without one. */
  readonly sizeBytes: number
}

/** The steps, newest first. An image without history has none. */
export async function imageHistory(store: Store, image: ImageView): Promise<readonly HistoryRow[]> {
  const { history, diffIDs } = await image.readConfig()
  const rows: HistoryRow[] = []
  let layer = 0
  for (const [position, entry] of history.entries()) {
    const diffID = entry.emptyLayer ? undefined : diffIDs[layer++]
    const isLast = position === history.length - 1
    const time = entry.created === undefined ? Number.NaN : Date.parse(entry.created)
    rows.push({
      ...(isLast ? { id: image.id } : {}),
      created: Number.isNaN(time) ? undefined : new Date(time),
      createdBy: entry.createdBy ?? '',
      comment: entry.comment ?? '',
      sizeBytes: diffID === undefined ? 0 : ((await store.layerSize(diffID)) ?? 0),
    })
  }
  return rows.toReversed()
}
