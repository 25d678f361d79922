import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Foundation, Part } from '../part.ts'
import { createReplication } from '../replication/replication.ts'
import { createContent } from './content-in-database.ts'
import { forgetOld } from './cache-records.ts'
import { evict } from './evict.ts'
import { createProxyFace } from './proxy-face.ts'
import { createPullThrough } from './pull-through.ts'
import { emptySpool } from './spool-folder.ts'

const evictEveryMs = 15 * 60_000
const userAgent = 'katman-registry'

/** The pull-through cache of other registries, and copies between them and this one by rules. */
export function openProxy({ core, database, now, options, warn }: Foundation): Part {
  const upstreams = options.upstreams ?? []
  const cached = createContent(core, { how: 'pull' })
  // A folder has one server; a machine may have many that keep nothing on it.
  const own = options.folder === undefined ? `katman-spool-${randomUUID()}` : 'spool'
  const spoolFolder = path.join(options.folder ?? tmpdir(), own)
  const pullThrough =
    upstreams.length === 0
      ? undefined
      : createPullThrough({
          upstreams,
          content: cached,
          database,
          spoolFolder,
          userAgent,
          now,
          warn,
        })
  const replication = createReplication({
    rules: options.replication ?? [],
    content: createContent(core, { how: 'upload' }),
    database,
    userAgent,
    now,
  })
  return {
    ...(pullThrough === undefined ? {} : { pullThrough }),
    ...(replication.rules.length === 0 ? {} : { listeners: [replication.listener] }),
    faces: [createProxyFace({ database, pullThrough, replication })],
    jobs: [
      ...(replication.rules.length === 0 ? [] : replication.jobs),
      ...(pullThrough === undefined
        ? []
        : [
            {
              kind: 'proxy-evict',
              everyMs: evictEveryMs,
              async run(_payload: unknown, { signal }: { readonly signal: AbortSignal }) {
                const { upstreams: known } = pullThrough
                await forgetOld(database, now())
                await evict({ database, content: cached, upstreams: known, now, signal })
              },
            },
          ]),
    ],
    async start() {
      if (pullThrough !== undefined) await emptySpool(spoolFolder, performance.timeOrigin)
    },
    async close() {
      await pullThrough?.[Symbol.asyncDispose]()
      if (options.folder === undefined) await rm(spoolFolder, { recursive: true, force: true })
      await replication[Symbol.asyncDispose]()
    },
  }
}
