import type { RegistryRequest } from '../http.ts'

/** Whether the client holds the current state already: `If-None-Match` (RFC 9110, section 13.1.2). */
export function isSameAsHeld(request: RegistryRequest, etag: string): boolean {
  const held = request.header('if-none-match')
  if (held === undefined) return false
  return held
    .split(',', 100)
    .map((text) => text.trim().replace(/^W\//, ''))
    .some((text) => text === etag || text === '*')
}
