import type { Database, ObjectStore } from '../src/index.ts'

/** One of several that work at the same time; it waits at `pass` until it may go on. */
export type Actor = (pass: () => Promise<void>) => Promise<void>

/** Picks who moves next, out of those that can. */
export type Choose = (ready: readonly number[]) => number | 'stop'

/**
 * Runs actors so that one moves at a time, from one of its gates to the next. An actor that is never chosen again has
 * crashed.
 */
export async function interleave(actors: readonly Actor[], choose: Choose): Promise<void> {
  const states = actors.map(() => ({
    /** Opens the gates at which the actor waits. */
    gates: [] as (() => void)[],
    isDone: false,
    /** Called when it comes to a gate or ends. */
    settled: () => undefined as void,
  }))
  const failures: unknown[] = []
  for (const [at, actor] of actors.entries()) {
    const state = states[at]
    if (state === undefined) continue
    const first = Promise.withResolvers<void>()
    state.settled = first.resolve
    const pass = () =>
      new Promise<void>((open) => {
        state.gates.push(open)
        state.settled()
      })
    actor(pass)
      .catch((error: unknown) => failures.push(error))
      .finally(() => {
        state.isDone = true
        state.settled()
      })
    await first.promise
  }
  for (;;) {
    const ready = states.flatMap(({ gates, isDone }, at) =>
      isDone || gates.length === 0 ? [] : [at],
    )
    if (ready.length === 0) break
    const chosen = choose(ready)
    if (chosen === 'stop') break
    const state = states[chosen]
    if (state === undefined) throw new RangeError(`no actor ${chosen}`)
    const { promise, resolve } = Promise.withResolvers<void>()
    state.settled = resolve
    state.gates.shift()?.()
    await promise
  }
  if (failures.length > 0) throw failures[0]
}

/**
 * Every way in which actors can take turns with at most so many times that one has to stop where it could go on. How many
 * ways there were.
 */
export async function everyInterleaving(
  maxStops: number,
  run: (choose: Choose) => Promise<void>,
): Promise<number> {
  /** At each turn: which of the possible ones was taken. */
  let script: readonly number[] = []
  for (let total = 1; ; total += 1) {
    const turns: { readonly taken: number; readonly possible: number }[] = []
    let last = -1
    let stops = 0
    const prescribed = script
    await run((ready) => {
      const canGoOn = ready.includes(last)
      const others = ready.filter((at) => at !== last)
      const possible = canGoOn ? (stops < maxStops ? [last, ...others] : [last]) : others
      const taken = prescribed[turns.length] ?? 0
      turns.push({ taken, possible: possible.length })
      const chosen = possible[taken] ?? 'stop'
      if (canGoOn && chosen !== last) stops += 1
      if (chosen !== 'stop') last = chosen
      return chosen
    })
    const at = turns.findLastIndex(({ taken, possible }) => taken + 1 < possible)
    if (at === -1) return total
    script = turns.slice(0, at + 1).map(({ taken }, turn) => (turn === at ? taken + 1 : taken))
  }
}

/** A database that waits at a gate before everything it does. */
export function gatedDatabase(database: Database, pass: () => Promise<void>): Database {
  return {
    engine: database.engine,
    async all(sql, values) {
      await pass()
      return database.all(sql, values)
    },
    async get(sql, values) {
      await pass()
      return database.get(sql, values)
    },
    async run(sql, values) {
      await pass()
      return database.run(sql, values)
    },
    async transaction(work, options) {
      await pass()
      return database.transaction(work, options)
    },
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

/** The same for objects. */
export function gatedObjects(objects: ObjectStore, pass: () => Promise<void>): ObjectStore {
  return {
    ...objects,
    async begin(key) {
      await pass()
      return objects.begin(key)
    },
    async append(upload, bytes) {
      await pass()
      return objects.append(upload, bytes)
    },
    async finish(upload) {
      await pass()
      await objects.finish(upload)
    },
    async abort(upload) {
      await pass()
      await objects.abort(upload)
    },
    async delete(keys) {
      await pass()
      await objects.delete(keys)
    },
  }
}
