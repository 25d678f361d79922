import type { IncomingMessage } from 'node:http'
import type { Bytes } from '@katman/oci'
import type { HttpLimits, HttpRequest } from './http.ts'
import { networkError, timeoutError } from './network-error.ts'

/** Bytes that may wait for the reader before the connection is paused. */
const queueLimitBytes = 4 * 1024 * 1024

/**
 * The body of a response as it arrives. Throws `CONNECTION_LOST` when it ends before its announced end and
 * `TIMEOUT` when it stalls or trickles; time in which the reader was the slow one does not count.
 */
export async function* readBody(
  message: IncomingMessage,
  request: HttpRequest,
  limits: HttpLimits,
): Bytes {
  const queue: Uint8Array[] = []
  let queued = 0
  let paused = false
  let finished = false
  let failure: unknown
  let wake: (() => void) | undefined
  let spanStart = performance.now()
  let spanBytes = 0

  const settle = (error?: unknown): void => {
    failure ??= error
    finished = true
    wake?.()
  }
  const idle = setTimeout(() => {
    if (paused) idle.refresh()
    else settle(timeoutError(request, 'no byte of the body', limits.idleMs))
  }, limits.idleMs)
  const onData = (chunk: Uint8Array): void => {
    queue.push(chunk)
    queued += chunk.byteLength
    spanBytes += chunk.byteLength
    idle.refresh()
    if (queued > queueLimitBytes) {
      paused = true
      message.pause()
    }
    const span = performance.now() - spanStart
    if (span >= limits.floorSpanMs) {
      if (spanBytes * 1000 < limits.floorBytesPerSecond * span) {
        settle(timeoutError(request, `only ${spanBytes} bytes of the body`, limits.floorSpanMs))
      }
      spanStart += span
      spanBytes = 0
    }
    wake?.()
  }
  const onEnd = (): void =>
    settle(message.complete ? undefined : networkError(new Error('aborted'), request))
  const onError = (error: Error): void => settle(networkError(error, request))
  const onClose = (): void =>
    settle(message.complete ? undefined : networkError(new Error('aborted'), request))
  const onAbort = (): void => settle(request.signal?.reason)

  message.on('data', onData)
  message.on('end', onEnd)
  message.on('error', onError)
  message.on('close', onClose)
  request.signal?.addEventListener('abort', onAbort, { once: true })
  if (request.signal?.aborted) onAbort()
  try {
    for (;;) {
      const chunk = queue.shift()
      if (chunk !== undefined) {
        queued -= chunk.byteLength
        if (paused && queued <= queueLimitBytes / 4) {
          paused = false
          spanStart = performance.now()
          spanBytes = 0
          idle.refresh()
          message.resume()
        }
        yield chunk
        continue
      }
      if (failure !== undefined) throw failure
      if (finished) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      wake = undefined
    }
  } finally {
    clearTimeout(idle)
    request.signal?.removeEventListener('abort', onAbort)
    message.off('data', onData)
    if (!message.complete || queue.length > 0) message.destroy()
  }
}
