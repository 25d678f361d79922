import type { SearchResult } from '@katman/remote'
import { isReference } from '@katman/oci'
import { invalidFilter, parseFilters } from '@katman/store'
import { CommandFailure } from './failure.ts'

/** Which registry to ask, and for what. */
export interface SearchTerm {
  /** `docker.io` or `host[:port]`. */
  readonly registry: string
  readonly term: string
}

/**
 * Reads the argument of a search as docker's engine does: what stands before the first slash is a registry if it looks like one.
 * Throws docker's text for a URL, and for a registry that no reference could name; a password typed there is not repeated.
 */
export function searchTerm(word: string): SearchTerm {
  if (word.includes('://')) {
    throw new CommandFailure(
      'Error response from daemon: Invalid repository name (ex: "registry.domain.tld/myrepos")',
    )
  }
  const slash = word.indexOf('/')
  const host = word.slice(0, Math.max(0, slash))
  if (!host.includes('.') && !host.includes(':') && host !== 'localhost') return onHub(word)
  if (/^(?:-[\w.-]*|[\w.-]*-)$/.test(host)) {
    throw new CommandFailure(
      `Error response from daemon: invalid index name (${host}). Cannot begin or end with a hyphen`,
    )
  }
  if (!isReference(`${host}/x`)) {
    throw new CommandFailure(
      'Error response from daemon: invalid index name: write a registry as HOST or HOST:PORT',
    )
  }
  const term = word.slice(slash + 1)
  return host === 'docker.io' || host === 'index.docker.io' ? onHub(term) : { registry: host, term }
}

/** Hub names its official images without their namespace. */
function onHub(term: string): SearchTerm {
  return { registry: 'docker.io', term: term.replace(/^library\//, '') }
}

/** The condition that `--filter` makes of results. Throws `FILTER_INVALID` with docker's text. */
export function parseSearchFilters(filters: readonly string[]): (result: SearchResult) => boolean {
  const terms = parseFilters(filters, ['is-automated', 'is-official', 'stars'])
  const isAutomated = onlyBool('is-automated', terms.get('is-automated'))
  const isOfficial = onlyBool('is-official', terms.get('is-official'))
  const stars = Math.max(Number.NEGATIVE_INFINITY, ...(terms.get('stars') ?? []).map(starCount))
  return (result) =>
    (isAutomated === undefined || result.isAutomated === isAutomated) &&
    (isOfficial === undefined || result.isOfficial === isOfficial) &&
    result.starCount >= stars
}

function onlyBool(name: string, values: readonly string[] | undefined): boolean | undefined {
  if (values === undefined) return undefined
  const [value, ...others] = new Set(values)
  if (others.length === 0 && (value === 'true' || value === 'false')) return value === 'true'
  throw invalidFilter(`Invalid filter '${name}=[${[value, ...others].join(' ')}]'`)
}

function starCount(text: string): number {
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text)
  throw invalidFilter(`Invalid filter 'stars=${text}'`)
}
