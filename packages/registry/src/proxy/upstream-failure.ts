import { isKatmanError } from '@katman/oci'
import { Refusal } from '../refusal.ts'
import { isMissing } from './is-missing.ts'
import type { Rest } from './upstream-client.ts'

/** What was asked of an upstream. */
export interface Subject {
  readonly registry: string
  readonly subject: 'manifest' | 'blob'
  readonly name: string
}

/** What a client is told about a failure of the upstream. Nothing of the inside: no address, no credential. */
export function upstreamRefusal(error: unknown, about: Subject): Refusal {
  const { name, registry, subject } = about
  const known = isKatmanError(error) ? error : undefined
  if (isMissing(error)) {
    const isRefused = known?.code === 'UNAUTHORIZED' || known?.code === 'DENIED'
    const code = subject === 'manifest' ? 'MANIFEST_UNKNOWN' : 'BLOB_UNKNOWN'
    const reason = isRefused ? `${registry} does not show it` : `${registry} does not have it`
    return new Refusal(404, code, `${subject} unknown: ${reason}`, { detail: { name } })
  }
  const retryAfterMs = known?.details['retryAfterMs']
  const seconds = typeof retryAfterMs === 'number' ? Math.ceil(retryAfterMs / 1000) : undefined
  if (known?.code === 'TOO_MANY_REQUESTS') {
    return new Refusal(429, 'TOOMANYREQUESTS', `${registry} has had too many requests from here`, {
      detail: { name },
      headers: { 'retry-after': String(seconds ?? 60) },
    })
  }
  if (known?.code === 'BLOB_TOO_LARGE') {
    return new Refusal(403, 'DENIED', known.message, { detail: { name } })
  }
  const isLie = known?.code === 'DIGEST_MISMATCH' || known?.code === 'SIZE_MISMATCH'
  const why = isLie ? 'sent other content than it promised' : 'cannot be asked now'
  return new Refusal(isLie ? 502 : 503, 'UNAVAILABLE', `${registry} ${why}`, {
    detail: { name },
    headers: isLie ? {} : { 'retry-after': String(seconds ?? 5) },
  })
}

/** The header that says that an answer may be out of date (distribution-spec, "Warnings"). */
export function staleWarning(registry: string, error: unknown): Readonly<Record<string, string>> {
  const code = isKatmanError(error) ? error.code : ''
  const why =
    code === 'TOO_MANY_REQUESTS' ? 'has had too many requests from here' : 'did not answer'
  return { warning: `299 - "may be out of date: ${registry} ${why}"` }
}

/** The failure that made the upstream rest, with the wait that is left of it. */
export function restRefusal({ error, until }: Rest, about: Subject, now: number): Refusal {
  const refusal = upstreamRefusal(error, about)
  const seconds = Math.max(1, Math.ceil((until - now) / 1000))
  return new Refusal(refusal.status, refusal.code, refusal.message, {
    ...refusal.options,
    headers: { ...refusal.options.headers, 'retry-after': String(seconds) },
  })
}
