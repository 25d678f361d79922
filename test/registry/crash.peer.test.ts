import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describePeers } from '../peers/require-peer.ts'
import { seededRandom } from '../reliability/random.ts'
import { twoAtOnce } from '../reliability/traced.ts'
import { findLost, nothingAcknowledged, pushEverything } from './acknowledged-push.ts'
import { serveKatman, type ServedRegistry } from './serve.ts'
import { findEarlyAnswers } from './unsynced.ts'
import { killAt, type Point, pointsOf, traceChanges, traceProcess } from './traced.ts'

// The real server is killed (SIGKILL) at the calls by which it changes files while everything is pushed to it. What
// it said yes to before is there afterwards, and the same push works. KATMAN_TEST_POINTS: at how many calls;
// `all` for each of them, which takes some minutes.

const seed = Number(process.env['KATMAN_TEST_SEED'] ?? Date.now() % 1_000_000)
const wanted = process.env['KATMAN_TEST_POINTS'] ?? '30'

describePeers('A registry that is killed', ['strace'], () => {
  let folder: string
  let ready: string
  let lines: readonly string[]

  beforeAll(async () => {
    console.log(`seed ${seed}`)
    folder = await mkdtemp(path.join(tmpdir(), 'katman-crash-'))
    ready = path.join(folder, 'ready')
    {
      await using server = await serve(ready)
      await pushEverything(server.host, 'before', nothingAcknowledged())
    }
    const dry = await copyOf('dry')
    await using server = await serve(dry)
    const log = path.join(folder, 'dry.log')
    const trace = await traceProcess(server.process.pid, log, traceChanges)
    await pushEverything(server.host, 'dry', nothingAcknowledged())
    lines = await trace.stop()
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('has kept what it said yes to, and takes the same push', async () => {
    const points = sample(pointsOf(lines, folder))
    let killed = 0
    await twoAtOnce(points, async (point, index) => {
      const data = await copyOf(String(index))
      const said = nothingAcknowledged()
      const about = `${point.call} ${point.count}`
      {
        await using server = await serve(data)
        const trace = await traceProcess(server.process.pid, '/dev/null', killAt(point))
        // Threads share the work differently each time: now and then none makes so many calls.
        const ended = await settled(pushEverything(server.host, String(index), said))
        if (ended instanceof Error) {
          if (!(await hasEnded(server))) throw ended
          killed++
        }
        await trace.stop()
      }
      {
        await using server = await serve(data)
        expect(await findLost(server.host, said), about).toEqual([])
        await pushEverything(server.host, String(index), said)
        expect(await findLost(server.host, said), about).toEqual([])
      }
      await rm(data, { recursive: true })
    })
    console.log(`killed at ${killed} of ${points.length} calls`)
    expect(killed).toBeGreaterThan(points.length / 2)
  }, 900_000)

  it('says yes only to what a power cut would not take', () => {
    const { answers, early } = findEarlyAnswers(lines, folder)
    expect(early).toEqual([])
    // Five blobs and manifests at least were answered in the trace.
    expect(answers).toBeGreaterThan(5)
  })

  async function copyOf(name: string): Promise<string> {
    const data = path.join(folder, name)
    await cp(ready, data, { recursive: true, preserveTimestamps: true })
    return data
  }
})

function serve(data: string): Promise<ServedRegistry> {
  return serveKatman(() => ['--data', data, '--open'])
}

function sample(points: readonly Point[]): readonly Point[] {
  if (wanted === 'all') return points
  const random = seededRandom(seed)
  return points.toSorted(() => random() - 0.5).slice(0, Number(wanted))
}

/** The connection is gone a moment before the process is. */
async function hasEnded({ process: server }: ServedRegistry): Promise<boolean> {
  for (let tries = 0; tries < 500 && server.running(); tries++) await delay(10)
  return !server.running()
}

async function settled(work: Promise<void>): Promise<unknown> {
  try {
    await work
    return undefined
  } catch (error) {
    return error
  }
}
