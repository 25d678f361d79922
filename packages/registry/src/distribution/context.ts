import type { ChangeKind, ChangeListener, Pull, Repository } from '../change.ts'
import type { Database, Transaction } from '../database/database.ts'
import { ensureRepository } from '../metadata/repositories.ts'
import type { ObjectStore } from '../object-store.ts'
import type { RedirectOptions } from '../registry-options.ts'

/** What the handlers of the distribution API work with. */
export interface DistributionContext {
  readonly database: Database
  readonly objects: ObjectStore
  /** Told of each change inside its transaction, one after the other. */
  readonly listeners: readonly ChangeListener[]
  readonly onPull: (pull: Pull) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly limits: DistributionLimits
  /** Whether manifests may name blobs and manifests that are not in the repository. */
  readonly allowSparse: boolean
  /** Sends clients to the object store itself for blobs, where it has addresses for them. */
  readonly redirects: RedirectOptions | undefined
}

interface DistributionLimits {
  /** Of a manifest. Default 4 MiB. */
  readonly manifestBytes: number
  /** Blobs of at most so many bytes are kept in the database. Default 64 KiB. */
  readonly inlineBytes: number
  /** How long a blob stays that no manifest names yet. Default 24 hours. */
  readonly leaseMs: number
  /** Tags, repositories or referrers on a page. Default 1000. */
  readonly pageEntries: number
}

const defaultLimits: DistributionLimits = {
  manifestBytes: 4 * 1024 * 1024,
  inlineBytes: 64 * 1024,
  leaseMs: 24 * 3_600_000,
  pageEntries: 1000,
}

export interface DistributionOptions {
  /** With its tables up to date. */
  readonly database: Database
  readonly objects: ObjectStore
  /** Told of each change inside its transaction. */
  readonly listeners?: readonly ChangeListener[]
  /** Told of each manifest that was asked for. Must not throw. */
  readonly onPull?: (pull: Pull) => void
  /** Default: the registry sends blobs itself. */
  readonly redirects?: RedirectOptions | undefined
  /** Whether manifests may name what is not in their repository. Default false: a push that lost a layer is noticed. */
  readonly allowSparse?: boolean
  readonly limits?: Partial<DistributionLimits>
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number
}

export function createContext(options: DistributionOptions): DistributionContext {
  return {
    database: options.database,
    objects: options.objects,
    listeners: options.listeners ?? [],
    onPull: options.onPull ?? (() => undefined),
    now: options.now ?? Date.now,
    limits: { ...defaultLimits, ...options.limits },
    allowSparse: options.allowSparse ?? false,
    redirects: options.redirects,
  }
}

/** Who asks for a change, and when. */
export interface Asked {
  readonly actor: string | undefined
  readonly at: number
  /** Throws the refusal when they may no longer. Default: nobody could have taken it from them. */
  readonly admitAgain?: () => Promise<void>
}

/** A repository inside the transaction that changes it. */
export interface Writing {
  readonly transaction: Transaction
  readonly repository: Repository
  /** Tells all listeners, one after the other; the first refusal undoes the whole. */
  readonly tell: (change: ChangeKind) => Promise<void>
}

/** Changes a repository, which begins to exist with it. Nothing is changed when `work` rejects. */
export async function changeRepository<T>(
  context: DistributionContext,
  name: string,
  { actor, at, admitAgain }: Asked,
  work: (writing: Writing) => Promise<T>,
): Promise<T> {
  await admitAgain?.()
  return context.database.transaction(async (transaction) => {
    const { repository, isNew } = await ensureRepository(transaction, name, at)
    const tell = async (change: ChangeKind): Promise<void> => {
      const whole = { ...change, repository, actor, at }
      for (const listener of context.listeners) await listener(transaction, whole)
    }
    if (isNew) await tell({ kind: 'repository-created' })
    return work({ transaction, repository, tell })
  })
}
