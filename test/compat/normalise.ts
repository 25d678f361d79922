import type { Outcome, Step } from './step.ts'

/** What is compared: an outcome without the parts that may differ between two right answers. */
export interface ComparableOutcome {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** Takes out of an outcome what depends on the time, on luck or on the engine's inside. */
export function normalise(step: Step, outcome: Outcome): ComparableOutcome {
  const clean = (text: string): string => {
    const shown = step.hides === 'digests' ? hideDigests(text) : text
    const lines = dropEngineFields(settleProgress(hideAges(shown.split('\n'))))
    return (step.order === 'sorted' ? sortParts(lines) : lines).map(hideMoments).join('\n')
  }
  return {
    stdout: clean(outcome.stdout),
    stderr: clean(outcome.stderr),
    exitCode: outcome.exitCode,
  }
}

const AGE =
  /(?:Less than a second|\d+ (?:second|minute|hour|day|week|month|year)s?|About an? (?:minute|hour))(?: ago)?/

/** "2 years ago" grows; in a table its column is set to one width, all other columns stay as they are. */
function hideAges(lines: readonly string[]): string[] {
  let column: { start: number; end: number } | undefined
  return lines.map((line) => {
    const header = /(?:^|  )(CREATED +)(?!AT\b|BY\b)[A-Z]/.exec(line)
    if (header !== null && line === line.toUpperCase()) {
      const start = line.indexOf('CREATED', header.index)
      const end = start + (header[1] ?? '').length
      column = { start, end }
      return `${line.slice(0, start)}${'CREATED'.padEnd(16)}${line.slice(end)}`
    }
    if (line === '') column = undefined
    if (column !== undefined) {
      const cell = line.slice(column.start, column.end)
      if (AGE.test(cell)) {
        return `${line.slice(0, column.start)}${'AGE'.padEnd(16)}${line.slice(column.end)}`
      }
    }
    return line.replace(/("CreatedSince":")[^"]*"/, '$1AGE"')
  })
}

const PROGRESS =
  /^([0-9a-f]{12}): (Pulling fs layer|Preparing|Waiting|Verifying Checksum|Download complete|Pull complete|Already exists|Pushed|Layer already exists|Mounted from \S+)$/

/**
 * Layers come in parallel, and docker may leave out passing states: kept are the announcement of each layer and its
 * final state, in the order in which the layers first appeared.
 */
function settleProgress(lines: readonly string[]): string[] {
  const result: string[] = []
  let block: Map<string, { announced: string | undefined; last: string }> | undefined
  const flush = (): void => {
    if (block === undefined) return
    for (const [id, { announced }] of block) if (announced) result.push(`${id}: ${announced}`)
    for (const [id, layer] of block) result.push(`${id}: ${layer.last}`)
    block = undefined
  }
  for (const line of lines) {
    const match = PROGRESS.exec(line)
    if (match === null) {
      flush()
      result.push(line)
      continue
    }
    const [, id = '', state = ''] = match
    block ??= new Map()
    const layer = block.get(id) ?? { announced: undefined, last: '' }
    if (state === 'Pulling fs layer' || state === 'Preparing') layer.announced = state
    layer.last = state
    block.set(id, layer)
  }
  flush()
  return result
}

function hideDigests(text: string): string {
  return text
    .replaceAll(/sha256:[0-9a-f]{64}/g, 'sha256:HIDDEN')
    .replaceAll(/ size: \d+$/gm, ' size: HIDDEN')
}

/** Where an engine keeps its layers is its own affair: the GraphDriver object is left out. */
function dropEngineFields(lines: readonly string[]): string[] {
  const result: string[] = []
  let end: string | undefined
  for (const line of lines) {
    if (end !== undefined) {
      if (line.startsWith(end)) end = undefined
      continue
    }
    const match = /^( +)"GraphDriver": \{$/.exec(line)
    if (match === null) {
      result.push(line.replace(/"GraphDriver":\{"Data":(?:null|\{[^}]*\}),"Name":"[^"]*"\},/, ''))
    } else {
      end = `${match[1]}}`
    }
  }
  return result
}

/** When this run named an image, and whom its engine asked for an address. */
function hideMoments(line: string): string {
  return line
    .replace(/("LastTagTime": ?")(?!0001-01-01)[^"]*"/, '$1MOMENT"')
    .replace(/(lookup \S+) on \S+:53/, '$1')
}

function sortParts(lines: readonly string[]): string[] {
  const result: string[] = []
  let part: string[] = []
  const flush = (): void => {
    const [first] = part
    const header = first !== undefined && /^[A-Z][A-Z ]+$/.test(first) ? part.shift() : undefined
    if (header !== undefined) result.push(header)
    result.push(...part.toSorted())
    part = []
  }
  for (const line of lines) {
    if (line === '') {
      flush()
      result.push(line)
    } else {
      part.push(line)
    }
  }
  flush()
  return result
}
