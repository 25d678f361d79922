import type { RegistryRequest } from './http.ts'
import { Refusal } from './refusal.ts'

/**
 * Refuses what a page of another site makes a browser do, with a password that the browser remembers. Only browsers send these
 * headers: clients like docker send neither.
 */
export function refuseOtherSites(request: RegistryRequest): void {
  if (request.method === 'GET' || request.method === 'HEAD') return
  const site = request.header('sec-fetch-site')
  // Browsers send it to who speaks TLS, the origin to everybody; behind a proxy the host may be another.
  const isOwn =
    site === undefined
      ? isOwnOrigin(request.header('origin'), request.header('host'))
      : site === 'same-origin' || site === 'none'
  if (!isOwn) throw new Refusal(403, 'DENIED', 'a page of another site cannot ask for this')
}

function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || origin.replace(/^https?:\/\//, '') === host
}
