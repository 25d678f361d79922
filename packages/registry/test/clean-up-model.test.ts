import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runCleanup } from '../src/cleanup/run-cleanup.ts'
import { openMemoryDatabase } from './databases.ts'
import { type Actor, type Choose, everyInterleaving, interleave } from './interleave.ts'
import {
  condemnedMs,
  digestOf,
  imageOf,
  indexOf,
  leaseMs,
  type Model,
  openModel,
  type Replica,
} from './registry-model.ts'

/** Errors of this kind need one or two at the most; `KATMAN_STOPS=3` looks at very many more. */
const maxStops = Number(process.env['KATMAN_STOPS'] ?? 1)

const layer = 'a layer of some bytes'
const image = imageOf([layer], 'image')
const other = imageOf([layer], 'other')

/** How things stand when the actors begin. */
const beginnings: Readonly<Record<string, (model: Model) => Promise<void>>> = {
  async empty() {
    // Nothing is there.
  },
  async 'pushed long ago and not used'(model) {
    await upload(model.replica(), 'app')
    model.wait(leaseMs)
  },
  async condemned(model) {
    await upload(model.replica(), 'app')
    model.wait(leaseMs)
    await runCleanup(model.replica().cleaner)
  },
  async tagged(model) {
    await push(model.replica(), 'app', 'old')
    model.wait(leaseMs)
  },
  async 'untagged long ago'(model) {
    await push(model.replica(), 'app', digestOf(image.text))
    model.wait(leaseMs)
  },
  async 'just deleted'(model) {
    await push(model.replica(), 'app', 'old')
    model.wait(leaseMs)
    await send(model.replica(), 'DELETE', `app/manifests/${digestOf(image.text)}`, [202])
  },
}

/** What a client does. Whatever the registry said yes to must hold. */
const clients: Readonly<Record<string, (replica: Replica) => Promise<void>>> = {
  async 'uploads and pushes'(replica) {
    await upload(replica, 'app')
    await put(replica, 'app', 'new', image, [201])
  },
  async 'asks, uploads what is missing, pushes'(replica) {
    const { status } = await replica.send('HEAD', `app/blobs/${digestOf(layer)}`)
    if (status !== 200) await upload(replica, 'app')
    await put(replica, 'app', 'new', image, [201])
  },
  async 'mounts and pushes'(replica) {
    const query = `mount=${digestOf(layer)}&from=app`
    const { status } = await replica.send('POST', `copy/blobs/uploads/?${query}`)
    if (status !== 201) await upload(replica, 'copy')
    await put(replica, 'copy', 'new', other, [201])
  },
  async 'pushes without asking'(replica) {
    await put(replica, 'app', 'new', other, [201, 400, 404])
  },
  async 'tags what it believes to be there'(replica) {
    await put(replica, 'app', 'again', image, [201, 400, 404])
  },
  async 'makes an index'(replica) {
    await put(replica, 'app', 'all', indexOf([image.text]), [201, 400, 404])
  },
  async 'moves the tag'(replica) {
    await upload(replica, 'app')
    await put(replica, 'app', 'old', other, [201])
  },
  async 'deletes the image'(replica) {
    await send(replica, 'DELETE', `app/manifests/${digestOf(image.text)}`, [202, 404])
  },
  async 'deletes the tag'(replica) {
    await send(replica, 'DELETE', 'app/manifests/old', [202, 404])
  },
}

/** What clean-up does, with enough time between for a blob to be condemned and deleted. */
const clean =
  (model: Model): Actor =>
  async (pass) => {
    const { cleaner } = model.replica(pass)
    await runCleanup(cleaner)
    model.wait(condemnedMs)
    await runCleanup(cleaner)
  }

describe('clean-up beside a client', () => {
  for (const [beginning, prepare] of Object.entries(beginnings)) {
    it(`loses nothing and leaves nothing, in whatever order the steps come: ${beginning}`, async () => {
      let total = 0
      for (const client of Object.values(clients)) {
        total += await everyInterleaving(maxStops, async (choose) => {
          await using model = await openModel(openMemoryDatabase)
          await prepare(model)
          await interleave([(pass) => client(model.replica(pass)), clean(model)], choose)
          await model.checkReachable()
          await model.checkGarbage()
          await model.checkReachable()
        })
      }
      expect(total).toBeGreaterThan(Object.keys(clients).length)
    }, 3_600_000)
  }
})

describe('clean-up beside two clients that crash', () => {
  const names = Object.keys(clients)
  it('loses nothing and leaves nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(beginnings)),
        fc.tuple(
          fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
          fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
        ),
        fc.array(fc.nat(5), { maxLength: 80 }),
        fc.boolean(),
        async (beginning, scripts, turns, isCrash) => {
          await using model = await openModel(openMemoryDatabase)
          await beginnings[beginning]?.(model)
          let turn = 0
          const choose: Choose = (ready) => {
            const chosen = turns[turn]
            turn += 1
            if (chosen === undefined) return isCrash ? 'stop' : (ready[0] ?? 'stop')
            return ready[chosen % ready.length] ?? 'stop'
          }
          const actors = scripts.map((script): Actor => async (pass) => {
            for (const name of script) await clients[name]?.(forgiving(model.replica(pass)))
          })
          await interleave([...actors, clean(model), clean(model)], choose)
          const areEntriesDeleted = scripts.flat().includes('deletes the image')
          await model.checkReachable({ areEntriesDeleted })
          await model.checkGarbage()
          await model.checkReachable({ areEntriesDeleted })
        },
      ),
      { numRuns: Number(process.env['KATMAN_RUNS'] ?? 200) },
    )
  }, 3_600_000)
})

/** With another client that deletes, a push may find that what it named is gone: then it is told so. */
function forgiving(replica: Replica): Replica {
  return {
    ...replica,
    async send(method, path, body) {
      const answer = await replica.send(method, path, body)
      const isTold = method === 'PUT' && (answer.status === 400 || answer.status === 404)
      return isTold ? { ...answer, status: 201 } : answer
    },
  }
}

async function push(replica: Replica, repository: string, reference: string): Promise<void> {
  await upload(replica, repository)
  await put(replica, repository, reference, image, [201])
}

async function upload(replica: Replica, repository: string): Promise<void> {
  const path = `${repository}/blobs/uploads/?digest=${digestOf(layer)}`
  await send(replica, 'POST', path, [201], { text: layer })
}

async function put(
  replica: Replica,
  repository: string,
  reference: string,
  body: { readonly text: string; readonly type: string },
  allowed: readonly number[],
): Promise<void> {
  await send(replica, 'PUT', `${repository}/manifests/${reference}`, allowed, body)
}

async function send(
  replica: Replica,
  method: string,
  path: string,
  allowed: readonly number[],
  body?: { readonly text: string; readonly type?: string },
): Promise<void> {
  const { status, text } = await replica.send(method, path, body)
  if (!allowed.includes(status)) throw new Error(`${method} ${path}: ${status} ${text}`)
}
