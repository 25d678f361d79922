import { type Digest, shortDigest } from '@katman/oci'
import type { RemoteEvent } from '@katman/remote'
import type { PushedLayer } from '@katman/store'
import type { CopyEvent } from '@katman/transfer'
import { type LayerLine, referrerLine, retryLine } from './pull-lines.ts'

/** Shows the layers of a push in docker's words: by the digest of their content, top layer first. */
export interface PushLines {
  readonly layers: (layers: readonly PushedLayer[]) => void
  readonly event: (event: CopyEvent | RemoteEvent) => void
}

/** More uploads than this at once wait, as docker has it. */
export const pushConcurrency = 5

export function createPushLines(show: (line: LayerLine) => void): PushLines {
  const ids = new Map<Digest, string>()
  const mounted = new Set<string>()
  return {
    layers(layers) {
      for (const { descriptor, diffID } of layers.toReversed()) {
        const { digest } = descriptor
        const isShown = ids.has(digest)
        ids.set(digest, shortDigest(diffID))
        if (!isShown) show({ id: shortDigest(diffID), status: 'Preparing' })
      }
    },
    event(event) {
      if (event.type === 'retry') {
        const id = event.digest === undefined ? undefined : ids.get(event.digest)
        if (id !== undefined) show(retryLine(id, event))
        return
      }
      if (event.type === 'referrer') {
        show(referrerLine(event))
        return
      }
      const id = 'descriptor' in event ? ids.get(event.descriptor.digest) : undefined
      if (id === undefined) return
      if (event.type === 'progress' && event.progress.state === 'mounted') mounted.add(id)
      // What was mounted was not pushed.
      if (event.type === 'copied' && mounted.has(id)) return
      const line = lineOf(event)
      if (line !== undefined) show({ id, ...line })
    },
  }
}

function lineOf(
  event: Exclude<CopyEvent, { type: 'referrer' }>,
): Omit<LayerLine, 'id'> | undefined {
  switch (event.type) {
    case 'present':
      return { status: 'Layer already exists' }
    case 'queued':
      return event.waiting ? { status: 'Waiting' } : undefined
    case 'progress':
      if (event.progress.state === 'mounted') {
        return { status: `Mounted from ${event.progress.from}` }
      }
      return event.progress.state === 'receiving'
        ? { status: 'Pushing', current: event.progress.bytes, total: event.descriptor.size }
        : undefined
    case 'copied':
      return { status: 'Pushed' }
    case 'manifest':
      return undefined
  }
}
