import type { Exchange } from './exchange.ts'
import type { ServerLimits } from './server-options.ts'

const windowMs = 60_000

/** Watches that clients in the middle of a request go on. */
export interface Pace {
  add(exchange: Exchange): void
  remove(exchange: Exchange): void
  /** Cuts those that stand still; called by a timer. `now`: milliseconds of a clock that only goes forward. */
  look(now: number): void
}

interface Progress {
  /** When a byte moved last, and how many had. */
  movedAt: number
  moved: number
  /** Where the minute began that is measured. */
  windowAt: number
  windowBytes: number
}

/**
 * A slow upload may go on for hours, as long as something arrives; who sends or takes nothing, or a byte now and then to keep
 * a connection, is cut. Only the time in which everything waits for the client counts.
 */
export function watchPace(
  { idleMs, minBytesPerSecond }: ServerLimits,
  cut: (exchange: Exchange) => void,
): Pace {
  const running = new Map<Exchange, Progress>()
  return {
    add(exchange) {
      const at = exchange.startedAt
      running.set(exchange, { movedAt: at, moved: 0, windowAt: at, windowBytes: 0 })
    },
    remove: (exchange) => void running.delete(exchange),
    look(now) {
      for (const [exchange, progress] of running) {
        const bytes = exchange.received + exchange.sent
        if (!exchange.isWaiting) {
          Object.assign(progress, { movedAt: now, moved: bytes, windowAt: now, windowBytes: bytes })
          continue
        }
        if (bytes !== progress.moved) Object.assign(progress, { movedAt: now, moved: bytes })
        const isStill = now - progress.movedAt >= idleMs
        const isOver = now - progress.windowAt >= windowMs
        const least = (minBytesPerSecond * (now - progress.windowAt)) / 1000
        if (isStill || (isOver && bytes - progress.windowBytes < least)) cut(exchange)
        else if (isOver) Object.assign(progress, { windowAt: now, windowBytes: bytes })
      }
    },
  }
}
