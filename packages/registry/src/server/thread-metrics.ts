import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

/** Writes down what one thread uses. Called before its numbers are shown. */
export function openThreadMetrics(metrics: Metrics, thread: number): () => void {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  return () => {
    const { heapUsed, external } = process.memoryUsage()
    metrics.set('nodejs_heap_size_used_bytes', '', heapUsed)
    metrics.set('nodejs_external_memory_bytes', '', external)
    const lag = Number.isNaN(delay.mean) ? 0 : Math.max(0, delay.mean / 1e9 - 0.02)
    metrics.set('nodejs_eventloop_lag_seconds', `thread="${thread}"`, lag)
    delay.reset()
  }
}
