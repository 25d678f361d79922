import { type Digest, shortDigest } from '@katman/oci'
import type { RemoteEvent } from '@katman/remote'
import type { CopyEvent } from '@katman/transfer'
import { escapeTerminal } from './terminal/escape.ts'

/** One update of one layer's line, in docker's words. */
export interface LayerLine {
  readonly id: string
  readonly status: string
  readonly current?: number
  readonly total?: number
}

/**
 * Turns the events of a copy into docker's layer lines. Layers that are there already are shown only with
 * an image that is new here: of an image the store has, docker shows no layers.
 */
export function createPullLines(
  isKnownImage: (id: Digest) => boolean,
  show: (line: LayerLine) => void,
): (event: CopyEvent | RemoteEvent) => void {
  const hidden = new Set<Digest>()
  /** Those with a line of their own. */
  const shown = new Set<Digest>()
  let isReferrer = false
  return (event) => {
    if (event.type === 'retry') {
      const { digest } = event
      if (digest !== undefined && shown.has(digest)) show(retryLine(shortDigest(digest), event))
      return
    }
    // What refers to an image comes last; its files are no layers.
    if (isReferrer && event.type !== 'referrer') return
    switch (event.type) {
      case 'manifest':
        if (isKnownImage(event.manifest.config.digest)) {
          for (const layer of event.manifest.layers) hidden.add(layer.digest)
        }
        return
      case 'referrer':
        show(referrerLine(event))
        isReferrer = true
        return
      case 'present':
        if (!hidden.has(event.descriptor.digest)) {
          show({ id: shortDigest(event.descriptor.digest), status: 'Already exists' })
        }
        return
      case 'queued': {
        const id = shortDigest(event.descriptor.digest)
        shown.add(event.descriptor.digest)
        show({ id, status: 'Pulling fs layer' })
        if (event.waiting) show({ id, status: 'Waiting' })
        return
      }
      case 'progress':
        show(progressLine(event))
        return
      case 'copied':
        show({ id: shortDigest(event.descriptor.digest), status: 'Pull complete' })
        return
      default:
        event satisfies never
    }
  }
}

/** The line of a layer that is tried again, as docker has it. */
export function retryLine(id: string, { afterMs }: RemoteEvent): LayerLine {
  const seconds = Math.max(1, Math.ceil(afterMs / 1000))
  return { id, status: `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}` }
}

/** The line of what refers to an image; docker has none. */
export function referrerLine({
  descriptor,
  tag,
}: Extract<CopyEvent, { type: 'referrer' }>): LayerLine {
  const type = escapeTerminal(tag ?? descriptor.artifactType ?? descriptor.mediaType)
  return { id: shortDigest(descriptor.digest), status: `Referrer ${type}` }
}

function progressLine(event: Extract<CopyEvent, { type: 'progress' }>): LayerLine {
  const { descriptor, progress } = event
  const id = shortDigest(descriptor.digest)
  switch (progress.state) {
    case 'receiving':
      return { id, status: 'Downloading', current: progress.bytes, total: descriptor.size }
    case 'verifying':
      return { id, status: 'Verifying Checksum' }
    case 'received':
      return { id, status: 'Download complete' }
    case 'mounted':
      return { id, status: `Mounted from ${progress.from}` }
    case 'indexing':
      return { id, status: 'Extracting', current: progress.bytes, total: descriptor.size }
  }
}
