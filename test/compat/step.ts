/** One command of the comparison. Steps run in order and share one engine, one home and one registry. */
export interface Step {
  /** Unique; the first word groups the steps in the report. */
  readonly id: string
  /**
   * The words after `docker`, as typed: single quotes group, the rest is split at spaces. Replaced before it runs:
   * `REG`, `AUTH`, `HUB` and `EMPTY` (the open registry, the one with a password, the one with a search, the one to
   * push to), `/HOME/` (the run's own folder), `{id:R:T}`, `{short:R:T}` (12 characters)
   * and `{digest:R:T}` of a catalog name, `{hex}` (64 hex characters), `{long}` (a name that is too long).
   */
  readonly line: string
  readonly stdin?: string
  /**
   * docker prints these lines in random order (equal dates, map order): compared sorted within each part between
   * blank lines; a table's header stays first.
   */
  readonly order?: 'sorted'
  /**
   * Digests and sizes of manifests are not compared: docker 20.10 writes a new manifest when it pushes, and an image
   * that is made by `import` has the time in it.
   */
  readonly hides?: 'digests'
}

/** A difference from docker that is meant. The comparison fails when it is no longer there. */
export interface AcceptedDifference {
  readonly step: string
  readonly what: 'stdout' | 'stderr' | 'exit code'
  readonly reason: string
}

/** What a step printed, with hosts and folders already replaced by fixed words. */
export interface Outcome {
  readonly id: string
  readonly line: string
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** A whole run of the real docker, kept in `recorded-docker.json`. */
export interface Recording {
  readonly client: string
  readonly engine: string
  readonly steps: readonly Outcome[]
}

/** Splits a command line into words: single quotes group, nothing else is special. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quoted = false
  for (const character of line) {
    if (character === "'") {
      quoted = !quoted
      word ??= ''
    } else if (character === ' ' && !quoted) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  if (quoted) throw new Error(`a quote is open in: ${line}`)
  if (word !== undefined) words.push(word)
  return words
}
