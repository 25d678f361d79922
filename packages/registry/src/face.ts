import type { Need, Visitor } from './access.ts'
import type { RegistryRequest, RegistryResponse } from './http.ts'

/**
 * A part of the server beside the distribution API (Hub's API, the accounts, events). Undefined when the path is not its own. It
 * asks `admit` before it tells or does anything.
 */
export type Face = (
  request: RegistryRequest,
  admit: (need: Need) => Promise<Visitor>,
) => Promise<RegistryResponse | undefined>
