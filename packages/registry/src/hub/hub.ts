import { RightsReader } from '../accounts/rights-reader.ts'
import { isPublic } from '../accounts/rights.ts'
import { addressAsked } from '../address.ts'
import type { Database } from '../database/database.ts'
import type { JobKind } from '../jobs/job.ts'
import type { Foundation, Part } from '../part.ts'
import { createHubFace } from './face.ts'
import { createPullCounter } from './pull-counter.ts'
import { createPullLimits, type PullLimitOptions } from './pull-limits.ts'
import { createPullQuota } from './pull-quota.ts'
import { recordImages } from './record-images.ts'
import type { IsPrivate } from './repositories.ts'

/** How Docker Hub's face is set up. */
export interface HubOptions {
  /** Default: everybody pulls as much as they like. */
  readonly limits?: PullLimitOptions
}

const defaultWindowSeconds = 6 * 3600

/** Docker Hub's face: what a repository is, what its tags hold, how often it was pulled. */
export function openHub({
  database,
  core,
  options,
  now,
  warn,
}: Pick<Foundation, 'database' | 'core' | 'options' | 'now' | 'warn'>): Part {
  const warnOf = (what: string) => (error: unknown) => {
    warn(`${what} wait to be written: ${error instanceof Error ? error.message : String(error)}`)
  }
  const counter = createPullCounter(database, { onFailure: warnOf('pull counts') })
  const { publicUrl, isOpen = false } = options
  const rights = new RightsReader(database, now)
  const readPrivacy = async (): Promise<IsPrivate> => {
    if (isOpen) return () => false
    const { anonymous } = await rights.anonymous()
    return (repository) => !isPublic(anonymous, repository)
  }
  const addressOf =
    publicUrl === undefined ? addressAsked('http://localhost') : (): string => publicUrl
  const limits = options.hub?.limits
  const windowSeconds = limits?.windowSeconds ?? defaultWindowSeconds
  const quota =
    limits === undefined
      ? undefined
      : createPullQuota(database, { windowSeconds, now, onFailure: warnOf('used up pulls') })
  return {
    listeners: [recordImages],
    faces: [createHubFace({ database, core, now, addressOf, isOpen, readPrivacy })],
    onPull: (pull) => counter.record(pull),
    ...(limits === undefined || quota === undefined
      ? {}
      : {
          wrap: createPullLimits(limits, quota),
          jobs: [forgetWindows(database, windowSeconds)],
        }),
    async close() {
      await counter.close()
      await quota?.close()
    },
  }
}

function forgetWindows(database: Database, windowSeconds: number): JobKind {
  return {
    kind: 'hub.forget-windows',
    everyMs: 3600 * 1000,
    async run(_payload, context) {
      const old = context.now() - 2 * windowSeconds * 1000
      await database.run('DELETE FROM pull_limits WHERE window_start < ?', [old])
    },
  }
}
