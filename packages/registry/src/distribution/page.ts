import type { RegistryRequest } from '../http.ts'
import { Refusal } from '../refusal.ts'

/** Which part of a sorted list is asked for. */
export interface PageAsked {
  /** Entries after this one; empty for the first page. */
  readonly last: string
  /** At most so many. */
  readonly count: number
}

/** Reads `n` and `last`. More than `limit` entries are never given, however many are asked for. */
export function readPage({ query }: RegistryRequest, limit: number): PageAsked {
  const given = query.get('n')
  if (given !== null && !/^\d{1,9}$/.test(given)) {
    throw new Refusal(400, 'PAGINATION_NUMBER_INVALID', 'n is no whole number')
  }
  const count = Math.min(limit, given === null ? limit : Number(given))
  return { last: query.get('last') ?? '', count }
}

/** The header that leads to the next page (RFC 8288). */
export function linkToNext(
  { path, query }: RegistryRequest,
  count: number,
  last: string,
): Readonly<Record<string, string>> {
  const next = new URLSearchParams(query)
  next.set('n', String(count))
  next.set('last', last)
  return { link: `<${path}?${next.toString()}>; rel="next"` }
}
