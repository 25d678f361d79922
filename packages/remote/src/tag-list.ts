import { isTag, JsonNumber, type JsonValue, parseJson } from '@katman/oci'
import { readLimited } from './http.ts'
import { responseInvalid } from './network-error.ts'
import { parseLocation } from './redirect.ts'
import type { FinalResponse } from './redirect.ts'

const maxPages = 10_000
const maxPageBytes = 16 * 1024 * 1024

/**
 * All tags of a repository, page by page, in the registry's order (distribution-spec, "Listing Tags").
 * Throws `RESPONSE_INVALID` for a page that is no tag list, for a `next` link to another origin or back, and
 * after 10,000 pages.
 */
export async function* listTags(
  fetchPage: (target: string | URL) => Promise<FinalResponse>,
  firstPage: string,
): AsyncIterable<string> {
  const seen = new Set<string>()
  let target: string | URL = firstPage
  for (let pages = 0; ; pages++) {
    const { response, url } = await fetchPage(target)
    const exchange = { method: 'GET', url }
    const bytes = await readLimited(response, maxPageBytes)
    if (bytes === undefined)
      throw responseInvalid(exchange, 'a page of the tag list is larger than 16 MiB')
    const tags = readTags(parseJson(bytes, 'tag list', { maxBytes: maxPageBytes }))
    if (tags === undefined) throw responseInvalid(exchange, 'the tag list is malformed')
    yield* tags
    const next = nextLink(response.headers.get('link'))
    if (next === undefined) return
    const following = parseLocation(next, { method: 'GET', url })
    if (following.origin !== url.origin)
      throw responseInvalid(exchange, 'the tag list goes on at another host')
    if (seen.has(following.href) || pages + 1 >= maxPages)
      throw responseInvalid(exchange, 'the tag list never ends')
    seen.add(following.href)
    target = following
  }
}

function readTags(document: JsonValue): readonly string[] | undefined {
  if (
    typeof document !== 'object' ||
    document === null ||
    Array.isArray(document) ||
    document instanceof JsonNumber
  ) {
    return undefined
  }
  const list = document['tags']
  if (list === null) return []
  if (!Array.isArray(list)) return undefined
  const tags: string[] = []
  for (const tag of list) {
    if (typeof tag !== 'string' || !isTag(tag)) return undefined
    tags.push(tag)
  }
  return tags
}

/** The target of the `rel="next"` link (RFC 8288), the first one. */
function nextLink(header: string | undefined): string | undefined {
  if (header === undefined || header.length > 16 * 1024) return undefined
  for (const match of header.matchAll(/<([^>]*)>([^<]*)/g)) {
    if (
      /;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:[;,]|$)))/i.test(match[2] ?? '')
    ) {
      return match[1]
    }
  }
  return undefined
}
