import type { Bytes, Descriptor, Digest } from '@katman/oci'
import type { CallOptions } from '@katman/transfer'
import type { StoreContext } from './context.ts'
import type { ImageRecord, ReferenceRecord, ReferrerRecord } from './records.ts'

export interface CheckOptions extends CallOptions {
  /**
   * `quick` (default) reads every record and document and looks at every size; `hash` reads everything.
   */
  readonly level?: 'quick' | 'hash'
  /** Heals what can be healed and moves the rest to `quarantine/`. */
  readonly repair?: {
    /** Opens lost content at the place it came from, a canonical name. Called for each place in turn. */
    readonly fetch?: (descriptor: Descriptor, from: string) => Promise<Bytes>
  }
  readonly onEvent?: (event: CheckEvent) => void
}

export type CheckEvent =
  | { readonly type: 'checking'; readonly path: string }
  | { readonly type: 'problem'; readonly problem: Problem }

export interface Problem {
  readonly kind:
    | 'folder'
    | 'version'
    | 'reference'
    | 'image'
    | 'referrer'
    | 'blob'
    | 'layer'
    | 'ingest'
    | 'lease'
  readonly path: string
  readonly digest?: Digest
  /** What is wrong, one line. */
  readonly problem: string
  /** True when nothing is wrong any more and nothing was lost. */
  readonly repaired: boolean
}

export interface CheckResult {
  readonly problems: readonly Problem[]
  /** Files looked at. */
  readonly checked: number
}

/** A check under way. */
export interface CheckState {
  readonly context: StoreContext
  readonly options: CheckOptions
  readonly problems: MutableProblem[]
  checked: number
  /** What the records of the store say, once they are read. */
  readonly references: ReferenceRecord[]
  readonly images: ImageRecord[]
  readonly referrers: ReferrerRecord[]
  /** Content that an image needs, and the places it came from. */
  readonly needed: Map<Digest, NeededContent>
}

export type MutableProblem = { -readonly [K in keyof Problem]: Problem[K] }

export interface NeededContent {
  readonly descriptor: Descriptor
  readonly from: ReadonlySet<string>
  /** Of layers of images. */
  readonly diffID: Digest | undefined
}

/** Counts a file and lets the caller stop. */
export function visit(state: CheckState, path: string): void {
  state.options.signal?.throwIfAborted()
  state.checked++
  state.options.onEvent?.({ type: 'checking', path })
}

/** Notes a problem, and repairs it when asked to; `repair` returns whether that worked. */
export async function report(
  state: CheckState,
  found: Omit<Problem, 'repaired'>,
  repair: () => Promise<boolean> | boolean,
): Promise<MutableProblem> {
  const problem: MutableProblem = { ...found, repaired: false }
  state.problems.push(problem)
  if (state.options.repair !== undefined) problem.repaired = await repair()
  state.options.onEvent?.({ type: 'problem', problem })
  return problem
}
