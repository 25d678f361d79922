/** Counts what happens in one thread. Names and labels are those of Prometheus; labels have few values. */
export interface Metrics {
  /** Adds to a counter. */
  count(name: string, labels: string, by?: number): void
  /** Adds a duration in seconds to a histogram. */
  observe(name: string, labels: string, seconds: number): void
  /** Sets a gauge; those of several threads are added. */
  set(name: string, labels: string, value: number): void
  /** Forgets a gauge: what is not known now is not shown. */
  clear(name: string): void
  snapshot(): MetricsSnapshot
}

/** What was counted, as plain data that threads send each other. */
export interface MetricsSnapshot {
  /** By name, then by labels. */
  readonly values: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly histograms: ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>
}

export interface MetricHelp {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
}

/** Upper bounds in seconds; what takes longer is in `+Inf`. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** A histogram is its buckets, the sum and nothing else. */
const sumAt = bounds.length + 1
/** Labels of one metric beyond this many are one: nobody fills the memory with names. */
const maxLabels = 2000

export function createMetrics(): Metrics {
  const values = new Map<string, Map<string, number>>()
  const histograms = new Map<string, Map<string, number[]>>()
  return {
    count(name, labels, by = 1) {
      const series = seriesOf(values, name)
      const key = labelsOf(series, labels)
      series.set(key, (series.get(key) ?? 0) + by)
    },
    observe(name, labels, seconds) {
      const series = seriesOf(histograms, name)
      const key = labelsOf(series, labels)
      let buckets = series.get(key)
      if (buckets === undefined) series.set(key, (buckets = Array<number>(sumAt + 1).fill(0)))
      let at = 0
      while (at < bounds.length && seconds > (bounds[at] ?? Infinity)) at++
      buckets[at] = (buckets[at] ?? 0) + 1
      buckets[sumAt] = (buckets[sumAt] ?? 0) + seconds
    },
    set(name, labels, value) {
      seriesOf(values, name).set(labels, value)
    },
    clear: (name) => void values.delete(name),
    snapshot: () => ({ values, histograms }),
  }
}

/** Prometheus' text format 0.0.4, of the sum of all threads. */
export function formatMetrics(
  snapshots: readonly MetricsSnapshot[],
  help: Readonly<Record<string, MetricHelp>>,
): string {
  const lines: string[] = []
  for (const [name, { type, help: text }] of Object.entries(help)) {
    lines.push(`# HELP ${name} ${text}`, `# TYPE ${name} ${type}`)
    if (type === 'histogram') {
      const series = sumSeries(
        snapshots.map((one) => one.histograms.get(name)),
        addAll,
      )
      for (const [labels, buckets] of series) lines.push(...histogramLines(name, labels, buckets))
    } else {
      const series = sumSeries(
        snapshots.map((one) => one.values.get(name)),
        (a, b) => a + b,
      )
      for (const [labels, value] of series) lines.push(`${name}${braces(labels)} ${value}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** A label as it stands in the format: `method="GET"`. */
export function label(name: string, value: string): string {
  return `${name}="${value.replaceAll(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))}"`
}

function histogramLines(name: string, labels: string, buckets: readonly number[]): string[] {
  const lines: string[] = []
  let count = 0
  for (const [at, bound] of [...bounds, '+Inf'].entries()) {
    count += buckets[at] ?? 0
    lines.push(`${name}_bucket${braces(join(labels, `le="${bound}"`))} ${count}`)
  }
  lines.push(`${name}_sum${braces(labels)} ${buckets[sumAt] ?? 0}`)
  lines.push(`${name}_count${braces(labels)} ${count}`)
  return lines
}

function sumSeries<T>(
  all: readonly (ReadonlyMap<string, T> | undefined)[],
  add: (one: T, other: T) => T,
): ReadonlyMap<string, T> {
  const sum = new Map<string, T>()
  for (const series of all) {
    for (const [labels, value] of series ?? []) {
      const before = sum.get(labels)
      sum.set(labels, before === undefined ? value : add(before, value))
    }
  }
  return sum
}

function addAll(one: readonly number[], other: readonly number[]): readonly number[] {
  return one.map((value, at) => value + (other[at] ?? 0))
}

function braces(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}

function join(labels: string, more: string): string {
  return labels === '' ? more : `${labels},${more}`
}

function seriesOf<T>(all: Map<string, Map<string, T>>, name: string): Map<string, T> {
  let series = all.get(name)
  if (series === undefined) all.set(name, (series = new Map()))
  return series
}

function labelsOf(series: ReadonlyMap<string, unknown>, labels: string): string {
  return series.size < maxLabels || series.has(labels) ? labels : 'overflow="true"'
}
