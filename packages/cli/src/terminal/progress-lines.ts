import { shorten } from './display-width.ts'
import { escapeTerminal } from './escape.ts'
import { formatSize } from './size.ts'

/** The state of one layer. */
interface ProgressEvent {
  /** What the line is called: the layer's short digest. */
  readonly id: string
  /** docker's word for the state: `Downloading`, `Pull complete`. */
  readonly status: string
  /** Bytes so far. An event with bytes is an update, not a change of state. */
  readonly current?: number
  /** Bytes in all; 0 or undefined when not known. */
  readonly total?: number
}

/** Where and how progress is shown. */
export interface ProgressOptions {
  readonly write: (text: string) => void
  /** Redraw the lines in place. */
  readonly isTerminal: boolean
  /** Width of the terminal; the bar is drawn above 110. */
  readonly columns: number
  /** A clock in milliseconds: byte counts are redrawn ten times a second at most. */
  readonly now: () => number
}

/** Shows events as docker's pull and push do. */
export interface ProgressLines {
  /** Shows a state: off a terminal once for each change, without byte counts. */
  readonly update: (event: ProgressEvent) => void
  /** Prints a line of its own; the lines of layers so far stay as they are. */
  readonly line: (text: string) => void
  /** Draws what is still held back. */
  readonly finish: () => void
}

const frameMs = 100

/** Makes the renderer of layer lines. All texts are made safe for a terminal. */
export function createProgressLines(options: ProgressOptions): ProgressLines {
  return options.isTerminal ? terminalLines(options) : plainLines(options)
}

function plainLines({ write }: ProgressOptions): ProgressLines {
  let last = new Map<string, string>()
  return {
    update: ({ id, status, current }) => {
      if (current !== undefined || last.get(id) === status) return
      last.set(id, status)
      write(`${escapeTerminal(id)}: ${escapeTerminal(status)}\n`)
    },
    line: (text) => {
      last = new Map()
      write(`${escapeTerminal(text)}\n`)
    },
    finish: () => undefined,
  }
}

function terminalLines({ write, columns, now }: ProgressOptions): ProgressLines {
  let rows = new Map<string, number>()
  const pending = new Map<string, ProgressEvent>()
  let lastFrame = -Infinity

  function draw(event: ProgressEvent): string {
    let row = rows.get(event.id)
    let text = ''
    if (row === undefined) {
      row = rows.size
      rows.set(event.id, row)
      text = '\n'
    }
    const up = rows.size - row
    return `${text}\x1b[${up}A\x1b[2K\r${lineText(event, columns)}\r\x1b[${up}B`
  }
  function flush(): void {
    if (pending.size === 0) return
    write([...pending.values()].map(draw).join(''))
    pending.clear()
  }

  return {
    update: (event) => {
      pending.set(event.id, event)
      const time = now()
      // Changes of state are few and seen at once; byte counts wait for the next frame.
      if (event.current !== undefined && time - lastFrame < frameMs && rows.has(event.id)) return
      if (event.current !== undefined) lastFrame = time
      flush()
    },
    line: (text) => {
      flush()
      rows = new Map()
      write(`${escapeTerminal(text)}\n`)
    },
    finish: flush,
  }
}

function lineText(event: ProgressEvent, columns: number): string {
  const { current = 0, total = 0 } = event
  const text = `${escapeTerminal(event.id)}: ${escapeTerminal(event.status)} ${progressText(current, total, columns)}`
  // A line that wraps would be two, and all above it would be redrawn in the wrong place.
  return columns > 0 ? shorten(text, columns) : text
}

const barCells = 50
const barFromColumns = 110

/** `[=====>     ]  30.41MB/80.02MB`; without a bar on narrow terminals, without the total when it is passed. */
export function progressText(current: number, total: number, columns: number): string {
  if (current <= 0 && total <= 0) return ''
  const done = formatSize(current).padStart(8)
  if (total <= 0) return done
  const filled = Math.min(barCells, Math.trunc(Math.trunc((current / total) * 100) / 2))
  const bar =
    columns > barFromColumns ? `[${'='.repeat(filled)}>${' '.repeat(barCells - filled)}] ` : ''
  return bar + (current > total ? done : `${done}/${formatSize(total)}`)
}
