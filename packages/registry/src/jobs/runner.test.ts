import { describe, expect, it } from 'vitest'
import type { Database } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { openSqlite } from '../database/sqlite.ts'
import { enqueueJob, type JobKind } from './job.ts'
import { createJobRunner, type JobRunner } from './runner.ts'

interface Bench extends AsyncDisposable {
  readonly database: Database
  /** What ran, in order. */
  readonly ran: unknown[]
  /** Moves the clock. */
  at(now: number): void
  readonly now: () => number
  runner(...kinds: readonly JobKind[]): JobRunner
  kind(options?: Partial<JobKind>): JobKind
}

async function openBench(): Promise<Bench> {
  const database = await openSqlite(':memory:')
  await migrate(database)
  const ran: unknown[] = []
  let time = 0
  const now = () => time
  return {
    database,
    ran,
    now,
    at(later) {
      time = later
    },
    runner: (...kinds) => createJobRunner(database, kinds, { now, random: () => 1, leaseMs: 100 }),
    kind: (options) => ({
      kind: 'test',
      run: async (payload) => {
        ran.push(payload)
      },
      ...options,
    }),
    [Symbol.asyncDispose]: () => database.close(),
  }
}

const rows = `SELECT unique_key, attempts, run_after, last_error, given_up_at FROM jobs`

describe('createJobRunner', () => {
  it('does what is due, once, and forgets it', async () => {
    await using bench = await openBench()
    await enqueueJob(bench.database, { kind: 'test', payload: { a: 1 } }, 0)
    await enqueueJob(bench.database, { kind: 'test', payload: 'later', runAfter: 50 }, 0)
    await enqueueJob(bench.database, { kind: 'of another version' }, 0)
    const runners = [bench.runner(bench.kind()), bench.runner(bench.kind())]
    await Promise.all(runners.map((runner) => runner.runDue()))
    expect(bench.ran).toEqual([{ a: 1 }])
    bench.at(50)
    await Promise.all(runners.map((runner) => runner.runDue()))
    expect(bench.ran).toEqual([{ a: 1 }, 'later'])
    expect(await bench.database.all('SELECT kind FROM jobs')).toEqual([
      { kind: 'of another version' },
    ])
  })

  it('queues the same work once, with the newest payload', async () => {
    await using bench = await openBench()
    await enqueueJob(bench.database, { kind: 'test', uniqueKey: 'k', payload: 1, runAfter: 90 }, 0)
    await enqueueJob(bench.database, { kind: 'test', uniqueKey: 'k', payload: 2, runAfter: 10 }, 0)
    bench.at(10)
    expect(await bench.runner(bench.kind()).runDue()).toBe(1)
    expect(bench.ran).toEqual([2])
  })

  it('runs once more what was asked for while it ran', async () => {
    await using bench = await openBench()
    await enqueueJob(bench.database, { kind: 'test', uniqueKey: 'k', payload: 1 }, 0)
    const runner = bench.runner(
      bench.kind({
        async run(payload) {
          bench.ran.push(payload)
          if (payload === 1)
            await enqueueJob(bench.database, { kind: 'test', uniqueKey: 'k', payload: 2 }, 0)
        },
      }),
    )
    expect(await runner.runDue()).toBe(2)
    expect(bench.ran).toEqual([1, 2])
    expect(await bench.database.all(rows)).toEqual([])
  })

  it('waits twice as long after each failure and gives up with the last error', async () => {
    await using bench = await openBench()
    await enqueueJob(bench.database, { kind: 'test', uniqueKey: 'k' }, 0)
    const runner = bench.runner(
      bench.kind({
        maxAttempts: 3,
        async run(_, { attempt }) {
          bench.ran.push(`${attempt} at ${bench.now()}`)
          throw new Error(`no ${attempt}`)
        },
      }),
    )
    for (const time of [0, 999, 1000, 2999, 3000, 99_999]) {
      bench.at(time)
      await runner.runDue()
    }
    expect(bench.ran).toEqual(['1 at 0', '2 at 1000', '3 at 3000'])
    expect(await bench.database.get(rows)).toMatchObject({ last_error: 'no 3', given_up_at: 3000 })
    // Asked for again, it begins anew.
    await enqueueJob(bench.database, { kind: 'test', uniqueKey: 'k' }, 99_999)
    await runner.runDue()
    expect(bench.ran.at(-1)).toBe('1 at 99999')
  })

  it('takes over from a replica that died, and not from one that works', async () => {
    await using bench = await openBench()
    await enqueueJob(bench.database, { kind: 'test' }, 0)
    const hanging = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const dead = bench.runner(
      bench.kind({
        run() {
          started.resolve()
          return hanging.promise
        },
      }),
    )
    const run = dead.runDue()
    await started.promise
    const other = bench.runner(bench.kind())
    bench.at(99)
    expect(await other.runDue()).toBe(0)
    bench.at(100)
    expect(await other.runDue()).toBe(1)
    // What comes too late changes nothing.
    await enqueueJob(bench.database, { kind: 'test', runAfter: 900 }, 0)
    hanging.resolve()
    await run
    expect(await bench.database.all(rows)).toHaveLength(1)
  })

  it('gives up a job that takes the process with it', async () => {
    await using bench = await openBench()
    await enqueueJob(bench.database, { kind: 'test' }, 0)
    await bench.database.run('UPDATE jobs SET attempts = 12')
    await bench.runner(bench.kind()).runDue()
    expect(bench.ran).toEqual([])
    expect(await bench.database.get(rows)).toMatchObject({
      last_error: 'the process that did it ended in the middle',
      given_up_at: 0,
    })
  })

  it('runs a periodic job once a period over all replicas, whatever fails', async () => {
    await using bench = await openBench()
    const periodic = bench.kind({
      everyMs: 1000,
      maxAttempts: 2,
      async run() {
        bench.ran.push(bench.now())
        if (bench.now() >= 2000) throw new Error('no')
      },
    })
    const runners = [bench.runner(periodic), bench.runner(periodic)]
    for (const time of [0, 500, 1000, 1999, 2000, 3000, 3999, 4000]) {
      bench.at(time)
      await Promise.all(runners.map((runner) => runner.runDue()))
    }
    expect(bench.ran).toEqual([0, 1000, 2000, 3000, 4000])
    // A shorter period counts at once.
    bench.ran.length = 0
    bench.at(4100)
    await bench.runner({ ...bench.kind(), everyMs: 10 }).runDue()
    bench.at(4110)
    await bench.runner({ ...bench.kind(), everyMs: 10 }).runDue()
    expect(bench.ran).toHaveLength(1)
  })

  it('does no more of a kind at once than it may', async () => {
    await using bench = await openBench()
    for (let count = 0; count < 7; count++) await enqueueJob(bench.database, { kind: 'test' }, 0)
    let now = 0
    let most = 0
    const runner = bench.runner(
      bench.kind({
        concurrency: 3,
        async run() {
          now += 1
          most = Math.max(most, now)
          await Promise.resolve()
          now -= 1
        },
      }),
    )
    expect(await runner.runDue()).toBe(7)
    expect(most).toBe(3)
  })

  it('stops cleanly: what runs is aborted and goes back to the queue', async () => {
    await using bench = await openBench()
    await enqueueJob(bench.database, { kind: 'test' }, 0)
    const started = Promise.withResolvers<void>()
    const runner = bench.runner(
      bench.kind({
        run(_, { signal }) {
          started.resolve()
          return new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reject(new Error('stopped'))
            })
          })
        },
      }),
    )
    runner.start()
    await started.promise
    await runner.stop()
    expect(await bench.database.get(rows)).toMatchObject({ attempts: 0, last_error: null })
    expect(await bench.runner(bench.kind()).runDue()).toBe(1)
  })

  it('wakes at once for work that was queued here', async () => {
    await using bench = await openBench()
    const done = Promise.withResolvers<void>()
    const runner = createJobRunner(
      bench.database,
      [bench.kind({ run: async () => done.resolve() })],
      { now: bench.now, pollMs: 2 ** 30 },
    )
    runner.start()
    await enqueueJob(bench.database, { kind: 'test' }, 0)
    runner.wake()
    await done.promise
    await runner.stop()
  })
})
