import { median } from '../measure.ts'
import type { ServerKind } from './servers.ts'

interface Sample {
  readonly value: number
  readonly extra: Readonly<Record<string, number>>
}

/** Figures of several servers, printed as their medians with the ratio of the first to the second. */
export class Table {
  readonly #title: string
  readonly #rows = new Map<string, Map<ServerKind, Sample[]>>()

  constructor(title: string) {
    this.#title = title
  }

  add(row: string, kind: ServerKind, value: number, extra: Sample['extra'] = {}): void {
    const cells = this.#rows.get(row) ?? new Map<ServerKind, Sample[]>()
    this.#rows.set(row, cells)
    cells.set(kind, [...(cells.get(kind) ?? []), { value, extra }])
  }

  print(): void {
    console.log(this.#title)
    for (const [row, cells] of this.#rows) {
      const figures = Array.from(cells, ([kind, samples]) => `${kind} ${describe(samples)}`)
      const [ours, theirs] = (['katman', 'docker-registry'] as const).map((kind) =>
        median((cells.get(kind) ?? []).map(({ value }) => value)),
      )
      const ratio = (ours ?? Number.NaN) / (theirs ?? Number.NaN)
      const times = Number.isNaN(ratio) ? '' : `   ${ratio.toFixed(2)} ×`
      console.log(`  ${row.padEnd(32)} ${figures.join('   ')}${times}`)
    }
    console.log()
  }
}

function describe(samples: readonly Sample[]): string {
  const values = samples.map(({ value }) => value)
  const spread =
    values.length > 1 ? ` (${short(Math.min(...values))} to ${short(Math.max(...values))})` : ''
  const names = Object.keys(samples[0]?.extra ?? {})
  const extras = names.map((name) => {
    return `, ${name} ${short(median(samples.map(({ extra }) => extra[name] ?? Number.NaN)))}`
  })
  return `${short(median(values))}${spread}${extras.join('')}`
}

function short(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 1 : 2)
}
