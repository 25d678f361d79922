import { type Gate, openGate, type Visitor } from './access.ts'
import { openAccounts } from './accounts/accounts-part.ts'
import type { ChangeListener } from './change.ts'
import { createContext, type DistributionOptions } from './distribution/context.ts'
import { openCleanup } from './cleanup/cleanup.ts'
import { migrate } from './database/migrate.ts'
import type { Database } from './database/database.ts'
import { openEvents } from './events/events.ts'
import type { ImageHook } from './events/image-hook.ts'
import { openHub } from './hub/hub.ts'
import { createJobRunner } from './jobs/runner.ts'
import { refuseUnfinishedMove } from './move/move-marker.ts'
import { openRegistryDatabase, openRegistryObjects } from './open-stores.ts'
import type { Foundation, Part } from './part.ts'
import { createRegistry, type Registry } from './registry.ts'
import type { Content } from './proxy/content.ts'
import { createContent } from './proxy/content-in-database.ts'
import { openProxy } from './proxy/proxy-part.ts'
import type { RegistryOptions } from './registry-options.ts'
import { observeTransactions } from './server/observed-database.ts'

/** A whole registry, without a listener: what a server serves and what administration works on. */
export interface OpenRegistry extends Registry, AsyncDisposable {
  readonly database: Database
  /** What it holds, for administration: imports. */
  readonly content: Content
  /** Begins the work in the background: jobs, clean-up, deliveries. In one thread of a server only. */
  start(): Promise<void>
  /** Ends answers that would go on for ever. */
  endStreams(): void
  /** Resolves when database and blobs answer; rejects with the reason otherwise. */
  check(): Promise<void>
  /** Ends the work in the background, writes what is in memory, closes the database. */
  close(): Promise<void>
}

interface Surroundings {
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number
  /** Takes one line about something that is not an answer. Default: nobody hears it. */
  readonly warn?: (line: string) => void
  /** Told how long each transaction took, with its waits. */
  readonly onTransaction?: (seconds: number) => void
  /** Look at every image that arrives, in the background. The same in every replica. Default: none. */
  readonly imageHooks?: readonly ImageHook[]
}

/**
 * Opens a registry: its database (brought up to date) and its blobs, and every part on top of them.
 *
 * @throws KatmanError `DATABASE_UNAVAILABLE`, `DATABASE_FAILED`, `DATABASE_TOO_NEW`, `DATABASE_MOVING`, `DATABASE_URL_INVALID`, and for the
 * blobs `STORAGE_INVALID`, `STORAGE_UNAVAILABLE`, `STORAGE_FAILED`, `STORAGE_URL_INVALID`.
 */
export async function openRegistry(
  options: RegistryOptions,
  { now = Date.now, warn = () => undefined, onTransaction, imageHooks = [] }: Surroundings = {},
): Promise<OpenRegistry> {
  const opened = await openRegistryDatabase(options)
  const database = onTransaction === undefined ? opened : observeTransactions(opened, onTransaction)
  const parts: Part[] = []
  let stopJobs: (() => Promise<void>) | undefined
  const endAll = async (): Promise<void> => {
    await stopJobs?.()
    // The last begun is the first to end: later parts may use earlier ones.
    for (const part of parts.toReversed()) await part.close?.()
    await database.close()
  }
  let closing: Promise<void> | undefined
  const closeAll = (): Promise<void> => (closing ??= endAll())
  try {
    await migrate(database)
    await refuseUnfinishedMove(database)
    const objects = await openRegistryObjects(options)
    const tell: ChangeListener = async (transaction, change) => {
      for (const part of parts)
        for (const listener of part.listeners ?? []) await listener(transaction, change)
    }
    const core: DistributionOptions = {
      database,
      objects,
      listeners: [tell],
      onPull(pull) {
        for (const part of parts) part.onPull?.(pull)
      },
      allowSparse: options.allowSparse ?? false,
      ...(options.redirects === undefined ? {} : { redirects: options.redirects }),
      now,
    }
    const foundation: Foundation = {
      database,
      core: createContext(core),
      options,
      imageHooks,
      now,
      warn,
    }
    for (const open of partOpeners) parts.push(await open(foundation))

    const chosen = parts.findLast((part) => part.gate !== undefined)?.gate ?? openGate
    const gate = parts.reduce(
      (inner, { wrap }) => wrap?.guardGate(inner) ?? inner,
      notingGate(chosen),
    )
    const faces = parts.flatMap((part) => part.faces ?? [])
    const pullThrough = parts.find((part) => part.pullThrough !== undefined)?.pullThrough
    const registry = createRegistry({ ...core, gate, faces, pullThrough })
    const handle = parts.reduce<Registry['handle']>(
      (inner, { wrap }) => wrap?.guardAnswers(inner) ?? inner,
      (request) => registry.handle(request),
    )
    return {
      database,
      content: createContent(foundation.core, { how: 'upload' }),
      handle,
      async start() {
        for (const part of parts) await part.start?.()
        const jobs = createJobRunner(
          database,
          parts.flatMap((part) => part.jobs ?? []),
          {
            now,
            onFailure({ kind, attempt, isGivenUp, error }) {
              const why = error instanceof Error ? error.message : String(error)
              warn(`job ${kind}, attempt ${attempt}${isGivenUp ? ' (the last)' : ''}: ${why}`)
            },
          },
        )
        stopJobs = () => jobs.stop()
        jobs.start()
      },
      endStreams() {
        for (const part of parts) part.endStreams?.()
      },
      async check() {
        await Promise.all([database.get('SELECT 1 AS one'), database.check?.(), objects.check?.()])
      },
      close: closeAll,
      [Symbol.asyncDispose]: closeAll,
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** Writes the account of each request where the log finds it. */
function notingGate(gate: Gate): Gate {
  return {
    ...gate,
    admit(request, need) {
      const note = (visitor: Visitor): Visitor => {
        if (request.notes !== undefined) request.notes.account = visitor.account
        return visitor
      }
      const visitor = gate.admit(request, need)
      return visitor instanceof Promise ? visitor.then(note) : note(visitor)
    },
  }
}

/** The parts, in the order in which they see a change. */
const partOpeners: readonly ((foundation: Foundation) => Promise<Part> | Part)[] = [
  openAccounts,
  openCleanup,
  openHub,
  openEvents,
  openProxy,
]
