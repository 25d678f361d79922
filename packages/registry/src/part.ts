import type { Gate } from './access.ts'
import type { ChangeListener, Pull } from './change.ts'
import type { Database } from './database/database.ts'
import type { DistributionContext } from './distribution/context.ts'
import type { ImageHook } from './events/image-hook.ts'
import type { Face } from './face.ts'
import type { JobKind } from './jobs/job.ts'
import type { Registry } from './registry.ts'
import type { PullThrough } from './proxy/pull-through.ts'
import type { RegistryOptions } from './registry-options.ts'

/** What every part of a registry is built on. */
export interface Foundation {
  readonly database: Database
  /** What the distribution API works with, for parts that store and remove as it does: what they change is told to all. */
  readonly core: DistributionContext
  readonly options: RegistryOptions
  /** What looks at images that arrive. */
  readonly imageHooks: readonly ImageHook[]
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Tells the people who run the registry about something that is not an answer: one line, without secrets. */
  readonly warn: (line: string) => void
}

/**
 * What one part of a registry (accounts, clean-up, Hub's API, events, the proxy) adds to the distribution API. A part opens its
 * tables in its own migration and knows no other part.
 */
export interface Part {
  /** Told of every change inside its transaction, in the order of the parts. */
  readonly listeners?: readonly ChangeListener[]
  /** Asked for paths beside the distribution API, in the order of the parts. */
  readonly faces?: readonly Face[]
  /** Decides who may do what. The last part that has one counts. */
  readonly gate?: Gate
  /** Stands around the gate and around every answer, of whatever part they are. */
  readonly wrap?: {
    guardGate(gate: Gate): Gate
    guardAnswers(handle: Registry['handle']): Registry['handle']
  }
  /** Brings in what other registries have, before the distribution API answers. */
  readonly pullThrough?: PullThrough
  /** Work it queues, or that is due again and again: done in one thread of a server, beside other replicas. */
  readonly jobs?: readonly JobKind[]
  /** Told of every pull after its answer; counts in memory and never throws. */
  onPull?(pull: Pull): void
  /** Begins what works in the background. Called in one thread of a server only. */
  start?(): Promise<void>
  /** Ends answers that would go on for ever: no new requests come to this thread. */
  endStreams?(): void
  /** Ends it, and writes what is still in memory. Called in every thread. */
  close?(): Promise<void>
}
