import type { Bytes, Digest } from '@katman/oci'
import type { ChangeListener } from '../change.ts'
import { createStoredImage } from './hook-context.ts'
import type { DistributionContext } from '../distribution/context.ts'
import { enqueueJob, type JobKind } from '../jobs/job.ts'
import { readHookPayload } from './hook-payload.ts'

/** Looks at every image that arrives, after its push was answered: a scanner, a maker of bills of materials. */
export interface ImageHook {
  /** Lower-case letters, digits and dashes; stays the same over restarts. */
  readonly name: string
  /** Whether it has something to do with an image. Called in the push: it must be quick. Default: with every one. */
  wants?(image: PushedImage): boolean
  /**
   * Does it, in one replica, at least once; when it rejects it is tried again later. What it attaches is stored
   * under the same digest however often it runs, if it is the same.
   */
  run(image: StoredImage): Promise<void>
}

/** What is known of an image as it is pushed. What refers to another manifest, like what a hook attaches, is none. */
export interface PushedImage {
  readonly repository: string
  readonly digest: Digest
  readonly mediaType: string
  readonly artifactType: string | undefined
}

/** An image as a hook finds it in the registry. */
export interface StoredImage extends PushedImage {
  /** Aborts when the replica stops. */
  readonly signal: AbortSignal
  /** The manifest as it was pushed. */
  readonly manifest: Uint8Array
  /** A blob of the repository. Undefined when it has none of this digest. */
  openBlob(digest: Digest): Promise<Bytes | undefined>
  /** Stores a result that refers to the image. Its digest. */
  attach(result: HookResult): Promise<Digest>
}

export interface HookResult {
  readonly artifactType: string
  readonly mediaType: string
  readonly content: Uint8Array
  readonly annotations?: Readonly<Record<string, string>>
}

/** Queues the work of hooks in the transaction of a push: an image that is there has been, or will be, looked at. */
export function queueHooks(hooks: readonly ImageHook[]): ChangeListener {
  return async (transaction, change) => {
    if (change.kind !== 'manifest-put' || !change.isNew || change.subject !== undefined) return
    const { digest, mediaType, artifactType } = change
    const repository = change.repository.name
    for (const hook of hooks) {
      if (hook.wants?.({ repository, digest, mediaType, artifactType }) === false) continue
      const kind = kindOf(hook)
      await enqueueJob(
        transaction,
        { kind, payload: { repository, digest }, uniqueKey: `${kind}/${repository}@${digest}` },
        change.at,
      )
    }
  }
}

/** The work itself. */
export function createHookJob(hook: ImageHook, core: DistributionContext): JobKind {
  return {
    kind: kindOf(hook),
    async run(payload, context) {
      const image = await createStoredImage(core, {
        ...readHookPayload(payload),
        now: context.now(),
        signal: context.signal,
      })
      // Deleted meanwhile: nothing to look at.
      if (image !== undefined) await hook.run(image)
    },
  }
}

function kindOf({ name }: ImageHook): string {
  return `hook/${name}`
}
