import { KatmanError } from '@katman/oci'

/**
 * Sorts conditions as typed (`label=a=b`) by their name, as docker's client reads them: the name in lower case,
 * spaces around both parts dropped, empty conditions passed over.
 * Throws `FILTER_INVALID` for one without `=`, and for names that are not `known`.
 */
export function parseFilters(
  filters: readonly string[],
  known: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const terms = new Map<string, string[]>()
  for (const filter of filters) {
    if (filter === '') continue
    const equals = filter.indexOf('=')
    if (equals === -1) throw invalidFilter('bad format of filter (expected name=value)')
    const name = filter.slice(0, equals).trim().toLowerCase()
    if (!known.includes(name)) throw invalidFilter(`Invalid filter '${name}'`)
    terms.set(name, [...(terms.get(name) ?? []), filter.slice(equals + 1).trim()])
  }
  return terms
}

/** The error for a filter that is unknown or has a bad value, in docker's words. */
export function invalidFilter(message: string): KatmanError {
  return new KatmanError('FILTER_INVALID', message)
}
