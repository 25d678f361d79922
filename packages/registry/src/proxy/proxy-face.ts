import type { Database } from '../database/database.ts'
import type { Face } from '../face.ts'
import { json } from '../http.ts'
import { Refusal } from '../refusal.ts'
import type { Replication } from '../replication/replication.ts'
import type { RunRecord } from '../replication/run-records.ts'
import type { RunEvent } from '../replication/run-rule.ts'
import { cachedBytes } from './evict.ts'
import type { PullThrough } from './pull-through.ts'

const prefix = '/api/v1/'
/** Lines of a dry run that are told. */
const maxPlanned = 1000

interface ProxyFaceOptions {
  readonly database: Database
  readonly pullThrough: PullThrough | undefined
  readonly replication: Replication
}

/**
 * Answers `/api/v1/upstreams` and `/api/v1/replication`: what is configured and how it goes. Passwords are never told.
 * `POST /api/v1/replication/RULE` queues a run; with `?dry-run=true` it says what a run would do.
 */
export function createProxyFace({ database, pullThrough, replication }: ProxyFaceOptions): Face {
  async function upstreams(): Promise<readonly object[]> {
    return Promise.all(
      (pullThrough?.state() ?? []).map(async ({ rest, upstream }) => {
        const row = await database.get<{ readonly count: number }>(
          'SELECT COUNT(*) AS count FROM proxy_repositories WHERE upstream = ?',
          [upstream.registry],
        )
        return {
          registry: upstream.registry,
          prefix: upstream.prefix,
          url: upstream.url,
          only: upstream.only,
          repositories: Number(row?.count ?? 0),
          bytes: await cachedBytes(database, upstream.registry),
          // Why it is not asked now, and until when.
          ...(rest === undefined
            ? {}
            : { resting: { code: rest.error.code, until: new Date(rest.until).toISOString() } }),
        }
      }),
    )
  }

  async function rules(): Promise<readonly object[]> {
    return Promise.all(
      replication.rules.map(async (rule) => ({
        name: rule.name,
        direction: rule.direction,
        remote: rule.remote.registry,
        repositories: rule.repositories,
        tags: rule.tags,
        every_seconds: rule.everySeconds,
        on_push: rule.onPush,
        deletes: rule.deletes,
        last_run: (await replication.runs(rule.name, 1)).map(shownRun)[0],
      })),
    )
  }

  async function plan(rule: string): Promise<object> {
    const steps: RunEvent[] = []
    const report = await replication.run(rule, {
      dryRun: true,
      onEvent(event) {
        if (steps.length < maxPlanned) steps.push(event)
      },
    })
    return { report, steps }
  }

  return async (request, admit) => {
    if (!request.path.startsWith(prefix)) return undefined
    const [collection, name, more] = request.path.slice(prefix.length).split('/')
    if (collection !== 'upstreams' && collection !== 'replication') return undefined
    await admit('system')
    const { method } = request
    const isRead = method === 'GET'
    if (collection === 'upstreams') {
      if (name !== undefined) throw unknown()
      if (!isRead) throw notAllowed('GET')
      return json(200, { upstreams: await upstreams() })
    }
    if (name === undefined) {
      if (!isRead) throw notAllowed('GET')
      return json(200, { rules: await rules() })
    }
    if (more !== undefined) throw unknown()
    if (!replication.rules.some((rule) => rule.name === name)) {
      throw new Refusal(404, 'NAME_UNKNOWN', 'there is no replication rule of this name')
    }
    if (isRead) return json(200, { runs: (await replication.runs(name, 50)).map(shownRun) })
    if (method !== 'POST') throw notAllowed('GET, POST')
    if (request.query.get('dry-run') === 'true') return json(200, await plan(name))
    await replication.request(name)
    return json(202, { message: 'the rule is carried out in the background' })
  }
}

function shownRun(run: RunRecord): object {
  const { copied, deleted, failed, movedBlobs, movedBytes, same } = run.report
  return {
    id: run.id,
    cause: run.cause,
    state: run.state,
    started_at: new Date(run.startedAt).toISOString(),
    ...(run.finishedAt === undefined
      ? {}
      : { finished_at: new Date(run.finishedAt).toISOString() }),
    copied,
    same,
    deleted,
    failed,
    moved_blobs: movedBlobs,
    moved_bytes: movedBytes,
    failures: run.failures,
  }
}

function unknown(): Refusal {
  return new Refusal(404, 'NAME_UNKNOWN', 'no such endpoint')
}

function notAllowed(allow: string): Refusal {
  return new Refusal(405, 'UNSUPPORTED', 'the operation is unsupported', { headers: { allow } })
}
