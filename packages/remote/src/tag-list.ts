import { isTag, JsonNumber, type JsonValue, parseJson } from '@katman/oci'
import { responseInvalid } from './network-error.ts'
import { fetchPages } from './pages.ts'
import type { FinalResponse } from './redirect.ts'

const maxPageBytes = 16 * 1024 * 1024

/**
 * All tags of a repository, page by page, in the registry's order (distribution-spec, "Listing Tags").
 * Throws `RESPONSE_INVALID` for a page that is no tag list, and for pages that do not go on as they should.
 */
export async function* listTags(
  fetchPage: (target: string | URL) => Promise<FinalResponse>,
  firstPage: string,
): AsyncIterable<string> {
  const pages = fetchPages(fetchPage, firstPage, { what: 'tag list', maxPageBytes })
  for await (const { bytes, exchange } of pages) {
    const tags = readTags(parseJson(bytes, 'tag list', { maxBytes: maxPageBytes }))
    if (tags === undefined) throw responseInvalid(exchange, 'the tag list is malformed')
    yield* tags
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
