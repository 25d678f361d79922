import type { RegistryRequest } from '../http.ts'
import { HubError } from './hub-error.ts'

export interface Paging {
  /** Counted from 1. */
  readonly page: number
  readonly size: number
  readonly offset: number
}

export interface Page {
  readonly count: number
  readonly next: string | null
  readonly previous: string | null
  readonly results: readonly unknown[]
}

const defaultSize = 10
const maxSize = 100
const maxPage = 1_000_000

export function readPaging({ query }: RegistryRequest): Paging {
  const page = readNumber(query, 'page', 1)
  if (page > maxPage) throw new HubError(404, 'page not found')
  const size = Math.min(maxSize, readNumber(query, 'page_size', defaultSize))
  return { page, size, offset: (page - 1) * size }
}

/** One page of `count` results, with links that keep what else was asked. */
export function pageOf(
  request: RegistryRequest,
  address: string,
  { page, size }: Paging,
  found: { readonly count: number; readonly results: readonly unknown[] },
): Page {
  const link = (to: number): string => {
    const query = new URLSearchParams(request.query)
    query.set('page', String(to))
    query.set('page_size', String(size))
    return `${address}${request.path}?${query.toString()}`
  }
  const last = Math.ceil(found.count / size)
  return {
    count: found.count,
    next: page < last ? link(page + 1) : null,
    previous: page > 1 && last > 0 ? link(Math.min(page - 1, last)) : null,
    results: found.results,
  }
}

function readNumber(query: URLSearchParams, name: string, otherwise: number): number {
  const given = query.get(name)
  if (given === null || given === '') return otherwise
  if (/^\d{1,9}$/.test(given) && Number(given) > 0) return Number(given)
  throw new HubError(400, `${name} is no whole number above 0`)
}
