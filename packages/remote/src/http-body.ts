import type { IncomingMessage } from 'node:http'
import type { Bytes } from '@katman/oci'
import type { HttpLimits, HttpRequest } from './http.ts'
import { networkError, timeoutError } from './network-error.ts'

/**
 * Bytes that may wait for the reader before the connection is paused. What waits long outlives collections of young
 * objects and stays until a large one.
 */
const queueLimitBytes = 1024 * 1024

/**
 * The body of a response as it arrives. Throws `CONNECTION_LOST` when it ends before its announced end and
 * `TIMEOUT` when it stalls or trickles; time in which the reader was the slow one does not count. What happens to the
 * connection before the first read is told at the first read.
 */
export function readBody(
  message: IncomingMessage,
  request: HttpRequest,
  limits: HttpLimits,
): Bytes {
  const state: BodyState = { finished: false, failure: undefined, wake: undefined }
  const settle = (error?: unknown): void => {
    if (state.finished) return
    state.failure = error
    state.finished = true
    state.wake?.()
  }
  const lost = (): unknown => networkError(new Error('aborted'), request)
  message.on('error', (error) => settle(networkError(error, request)))
  message.on('end', () => settle(message.complete ? undefined : lost()))
  message.on('close', () => settle(lost()))
  return chunksOf(message, request, limits, state, settle)
}

interface BodyState {
  finished: boolean
  failure: unknown
  wake: (() => void) | undefined
}

async function* chunksOf(
  message: IncomingMessage,
  request: HttpRequest,
  limits: HttpLimits,
  state: BodyState,
  settle: (error?: unknown) => void,
): Bytes {
  const queue: Uint8Array[] = []
  let queued = 0
  let paused = false
  let spanStart = performance.now()
  let spanBytes = 0

  const idle = setTimeout(() => {
    if (paused) idle.refresh()
    else settle(timeoutError(request, 'no byte of the body', limits.idleMs))
  }, limits.idleMs)
  const checkPace = (): void => {
    const span = performance.now() - spanStart
    if (span < limits.floorSpanMs) return
    if (spanBytes * 1000 < limits.floorBytesPerSecond * span) {
      settle(timeoutError(request, `only ${spanBytes} bytes of the body`, limits.floorSpanMs))
    }
    spanStart += span
    spanBytes = 0
  }
  const onData = (chunk: Uint8Array): void => {
    queue.push(chunk)
    queued += chunk.byteLength
    spanBytes += chunk.byteLength
    idle.refresh()
    if (queued > queueLimitBytes) {
      paused = true
      message.pause()
    }
    checkPace()
    state.wake?.()
  }
  const onAbort = (): void => settle(request.signal?.reason)
  const resume = (): void => {
    paused = false
    spanStart = performance.now()
    spanBytes = 0
    idle.refresh()
    message.resume()
  }

  request.signal?.addEventListener('abort', onAbort, { once: true })
  if (request.signal?.aborted) onAbort()
  message.on('data', onData)
  try {
    for (;;) {
      const chunk = queue.shift()
      if (chunk !== undefined) {
        queued -= chunk.byteLength
        if (paused && queued <= queueLimitBytes / 4) resume()
        yield chunk
        continue
      }
      if (state.failure !== undefined) throw state.failure
      if (state.finished) return
      await new Promise<void>((resolve) => {
        state.wake = resolve
      })
      state.wake = undefined
    }
  } finally {
    clearTimeout(idle)
    request.signal?.removeEventListener('abort', onAbort)
    message.off('data', onData)
    if (!message.complete || queue.length > 0) message.destroy()
  }
}
