import type { Need, Visitor } from '../access.ts'
import type { RegistryRequest } from '../http.ts'
import { Refusal } from '../refusal.ts'
import type { Cleaner } from './cleaner.ts'
import type { StoreManifest } from './undelete.ts'

/** One request to the API of clean-up. */
export interface Call {
  readonly cleaner: Cleaner
  readonly request: RegistryRequest
  /** The parts of the path after the collection, decoded. */
  readonly rest: readonly string[]
  readonly admit: (need: Need) => Promise<Visitor>
  readonly store: StoreManifest
}

export function noMore(rest: readonly string[]): void {
  if (rest.length > 0) throw new Refusal(404, 'NAME_UNKNOWN', 'no such endpoint')
}

export function notAllowed(allow: string): Refusal {
  return new Refusal(405, 'UNSUPPORTED', 'the operation is unsupported', { headers: { allow } })
}
