import { isKatmanError, KatmanError } from '@katman/oci'
import type { Remote } from '@katman/remote'
import type { ChangeListener } from '../change.ts'
import type { Database } from '../database/database.ts'
import { enqueueJob, type JobKind } from '../jobs/job.ts'
import { listRepositoryNames } from '../metadata/repositories.ts'
import type { Content } from '../proxy/content.ts'
import { openPeer } from '../proxy/peer.ts'
import {
  createRule,
  type ReplicationRule,
  type ReplicationRuleOptions,
  targetName,
  wantsTag,
} from './rule.ts'
import { beginRun, listRuns, type RunRecord, saveRun } from './run-records.ts'
import { type RunEvent, type RunFailure, type RunReport, runRule } from './run-rule.ts'

/** Copies between this registry and others, by rules. */
export interface Replication extends AsyncDisposable {
  readonly rules: readonly ReplicationRule[]
  readonly jobs: readonly JobKind[]
  readonly listener: ChangeListener
  /** Carries a rule out now. Throws `RULE_UNKNOWN`, and what makes the run as a whole fail. */
  run(rule: string, options?: RunNow): Promise<RunReport>
  /** Queues a run, for whichever replica is free. Throws `RULE_UNKNOWN`. */
  request(rule: string): Promise<void>
  /** The newest runs of a rule first. */
  runs(rule: string, limit: number): Promise<readonly RunRecord[]>
}

interface RunNow {
  readonly cause?: string
  readonly dryRun?: boolean
  readonly only?: Only | undefined
  readonly signal?: AbortSignal
  readonly onEvent?: (event: RunEvent) => void
}

interface Only {
  readonly repository: string
  readonly reference: string
}

export interface ReplicationOptions {
  readonly rules: readonly ReplicationRuleOptions[]
  readonly content: Content
  readonly database: Database
  readonly userAgent: string
  readonly now: () => number
}

const maxFailures = 100
const runKind = 'replication-run'
/** How often it is looked whether a rule is due, in ms. */
const lookMs = 10_000

/** Opens the rules. Nothing runs yet. Throws `RULE_INVALID`, `UPSTREAM_INVALID`. */
export function createReplication(options: ReplicationOptions): Replication {
  const { content, database, now, userAgent } = options
  const rules = options.rules.map(createRule)
  const byName = new Map(rules.map((rule) => [rule.name, rule]))
  if (byName.size < rules.length) {
    throw new KatmanError('RULE_INVALID', 'two replication rules have the same name', {
      hint: 'give each rule a name of its own',
    })
  }
  const remotes = new Map<ReplicationRule, Remote>()

  function find(name: string): ReplicationRule {
    const rule = byName.get(name)
    if (rule !== undefined) return rule
    throw new KatmanError('RULE_UNKNOWN', `there is no replication rule ${JSON.stringify(name)}`, {
      hint: `there are: ${[...byName.keys()].join(', ') || 'none'}`,
    })
  }

  function remoteOf(rule: ReplicationRule): Remote {
    const remote = remotes.get(rule) ?? openPeer(rule.remote, { userAgent, now })
    remotes.set(rule, remote)
    return remote
  }

  async function* repositories(): AsyncIterable<string> {
    for (let last = ''; ;) {
      const page = await listRepositoryNames(database, { last, limit: 1000 })
      yield* page
      const end = page.at(-1)
      if (end === undefined) return
      last = end
    }
  }

  async function run(name: string, call: RunNow = {}): Promise<RunReport> {
    const rule = find(name)
    const { cause = 'asked', dryRun = false, only, signal } = call
    // What one push queued, and what changes nothing, is not worth a record while it goes well.
    const isRecorded = !dryRun && only === undefined
    const begin = (): Promise<number> => beginRun(database, { rule: name, cause, now: now() })
    let id = isRecorded ? await begin() : undefined
    const failures: RunFailure[] = []
    let latest: RunReport | undefined
    let savedAt = now()
    const save = async (state: RunRecord['state'], report: RunReport): Promise<void> => {
      if (id !== undefined) await saveRun(database, { id, state, report, failures, now: now() })
    }
    try {
      const report = await runRule(rule, {
        content,
        repositories,
        remote: remoteOf(rule),
        only,
        dryRun,
        signal,
        onEvent(event, counts) {
          latest = { ...counts }
          if (event.type === 'failed' && failures.length < maxFailures) {
            const { type: _type, ...failure } = event
            failures.push(failure)
          }
          call.onEvent?.(event)
          if (now() - savedAt > 1_000) {
            savedAt = now()
            save('running', latest).catch(() => {})
          }
        },
      })
      await save(report.failed > 0 ? 'incomplete' : 'done', report)
      return report
    } catch (error) {
      const isStopped = signal?.aborted === true
      if (!isStopped) failures.push({ ...failureOf(error), ...only })
      if (!isStopped && !dryRun) id ??= await begin().catch(() => undefined)
      await save(isStopped ? 'interrupted' : 'failed', latest ?? none).catch(() => {})
      throw error
    }
  }

  async function schedule(): Promise<void> {
    for (const { everySeconds, name } of rules) {
      if (everySeconds === undefined) continue
      const [last] = await listRuns(database, name, 1)
      if (last !== undefined && last.startedAt + everySeconds * 1000 > now()) continue
      await enqueueJob(database, jobFor(name, 'schedule'), now())
    }
  }

  return {
    rules,
    jobs: [
      { kind: 'replication-schedule', everyMs: lookMs, run: schedule },
      {
        kind: runKind,
        concurrency: 2,
        async run(payload, { signal }) {
          const job = readPayload(payload)
          // A rule that was taken out of the configuration meanwhile.
          if (job === undefined || !byName.has(job.rule)) return
          const { cause, only, rule } = job
          await run(rule, { cause, only, signal })
        },
      },
    ],
    async listener(transaction, change) {
      const { at, repository } = change
      for (const rule of rules) {
        if (!rule.onPush || targetName(rule, repository.name) === undefined) continue
        const reference = referenceIn(rule, change)
        if (reference === undefined) continue
        const only = { repository: repository.name, reference }
        await enqueueJob(transaction, jobFor(rule.name, 'push', only), at)
      }
    },
    run,
    async request(name) {
      await enqueueJob(database, jobFor(find(name).name, 'asked'), now())
    },
    runs: (name, limit) => listRuns(database, find(name).name, limit),
    async [Symbol.asyncDispose]() {
      for (const remote of remotes.values()) await remote[Symbol.asyncDispose]()
      remotes.clear()
    },
  }
}

/** What of a change the rule copies: a tag, or something that refers to an image. */
function referenceIn(
  rule: ReplicationRule,
  change: Parameters<ChangeListener>[1],
): string | undefined {
  if (change.kind === 'tag-deleted')
    return rule.deletes && wantsTag(rule, change.tag) ? change.tag : undefined
  if (change.kind === 'tag-set') return wantsTag(rule, change.tag) ? change.tag : undefined
  const isReferrer = change.kind === 'manifest-put' && change.subject !== undefined
  return isReferrer && rule.referrers && change.isNew ? change.digest : undefined
}

function jobFor(rule: string, cause: string, only?: Only) {
  const what = only === undefined ? '' : `:${only.repository}@${only.reference}`
  return { kind: runKind, payload: { rule, cause, only }, uniqueKey: `${runKind}:${rule}${what}` }
}

interface Payload {
  readonly rule: string
  readonly cause: string
  readonly only: Only | undefined
}

function readPayload(payload: unknown): Payload | undefined {
  if (typeof payload !== 'object' || payload === null || !('rule' in payload)) return undefined
  const { rule } = payload
  const cause = 'cause' in payload ? payload.cause : undefined
  const only = 'only' in payload ? payload.only : undefined
  if (typeof rule !== 'string' || typeof cause !== 'string') return undefined
  if (only === undefined || only === null) return { rule, cause, only: undefined }
  if (typeof only !== 'object' || !('repository' in only) || !('reference' in only))
    return undefined
  const { reference, repository } = only
  if (typeof repository !== 'string' || typeof reference !== 'string') return undefined
  return { rule, cause, only: { repository, reference } }
}

function failureOf(error: unknown): RunFailure {
  const known = isKatmanError(error) ? error : undefined
  return {
    repository: '',
    reference: undefined,
    code: known?.code ?? 'UNKNOWN',
    message: known?.message ?? 'the run failed',
  }
}

const none: RunReport = { copied: 0, same: 0, deleted: 0, failed: 0, movedBlobs: 0, movedBytes: 0 }
