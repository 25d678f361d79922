import { type Digest, parseDigest } from '@katman/oci'

/** Which image a job of a hook is for. */
export function readHookPayload(payload: unknown): {
  readonly repository: string
  readonly digest: Digest
} {
  if (typeof payload === 'object' && payload !== null) {
    const repository: unknown = Reflect.get(payload, 'repository')
    const digest: unknown = Reflect.get(payload, 'digest')
    if (typeof repository === 'string' && typeof digest === 'string') {
      return { repository, digest: parseDigest(digest) }
    }
  }
  throw new TypeError('the job names no image')
}
