import type { Exchange } from './exchange.ts'
import type { RouteName } from './route-name.ts'

/** Takes whole lines, each with its end. */
export type LogSink = (lines: string) => void

const flushMs = 20
const flushLength = 64 * 1024

/** One JSON line for each request, handed on in batches. */
export interface AccessLog {
  write(exchange: Exchange, outcome: Outcome): void
  /** Hands on what waits. */
  flush(): void
}

interface Outcome {
  readonly status: number
  readonly name: RouteName
  readonly seconds: number
  /** What went wrong inside, or why the answer did not arrive whole. */
  readonly failure?: string | undefined
}

/** `now`: milliseconds since 1970. */
export function createAccessLog(sink: LogSink, now: () => number): AccessLog {
  let waiting = ''
  let timer: NodeJS.Timeout | undefined
  let [lastSecond, secondText] = [0, '']

  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (waiting === '') return
    const lines = waiting
    waiting = ''
    sink(lines)
  }

  /** ISO 8601; the day and second are formatted once for all lines of a second. */
  const timeText = (): string => {
    const time = now()
    const second = Math.floor(time / 1000)
    if (second !== lastSecond) {
      lastSecond = second
      secondText = new Date(second * 1000).toISOString().slice(0, 20)
    }
    return `${secondText}${String(time - second * 1000).padStart(3, '0')}Z`
  }

  return {
    write(exchange, { status, name, seconds, failure }) {
      const { account } = exchange.notes
      const agent = exchange.header('user-agent')
      waiting +=
        `{"time":"${timeText()}","level":"${status >= 500 ? 'error' : 'info'}","id":"${exchange.id}"` +
        `,"method":"${exchange.method}","path":${quote(exchange.path, 512)},"status":${status}` +
        `,"received":${exchange.received},"sent":${exchange.sent},"ms":${Math.round(seconds * 1e5) / 100}` +
        `,"client":${quote(exchange.client, 64)}` +
        (account === undefined ? '' : `,"account":${quote(account, 256)}`) +
        (name.repository === undefined ? '' : `,"repository":${quote(name.repository, 256)}`) +
        (agent === undefined ? '' : `,"agent":${quote(agent, 256)}`) +
        (failure === undefined ? '' : `,"failure":${quote(failure, 1000)}`) +
        '}\n'
      if (waiting.length > flushLength) flush()
      else timer ??= setTimeout(flush, flushMs)
    },
    flush,
  }
}

const plain = /^[ !#-[\]-~]*$/

function quote(text: string, most: number): string {
  const short = text.length > most ? text.slice(0, most) : text
  return plain.test(short) ? `"${short}"` : JSON.stringify(short)
}
