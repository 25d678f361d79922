import { inLibrary, namespaceOfPattern, type Pattern } from './pattern.ts'

interface Patterned {
  readonly pattern: Pattern
}

/** Things by patterns, of which few have to be looked at for one repository: those of its namespace, and those of several. */
export class PatternIndex<T extends Patterned> {
  readonly all: readonly T[]
  readonly #wide: readonly T[]
  readonly #byNamespace = new Map<string, T[]>()

  constructor(all: readonly T[]) {
    this.all = all
    const wide: T[] = []
    for (const one of all) {
      const namespace = namespaceOfPattern(one.pattern)
      const found = namespace === undefined ? wide : this.#byNamespace.get(namespace)
      if (found !== undefined) found.push(one)
      else if (namespace !== undefined) this.#byNamespace.set(namespace, [one])
    }
    this.#wide = wide
  }

  /** Whether one that may be for the repository fits. */
  some(repository: string, fits: (one: T) => boolean): boolean {
    const [namespace = ''] = inLibrary(repository).split('/', 1)
    return this.#wide.some(fits) || (this.#byNamespace.get(namespace)?.some(fits) ?? false)
  }
}
