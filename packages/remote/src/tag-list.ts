import { isTag, JsonNumber, type JsonValue, parseJson } from '@katman/oci'
import { responseInvalid } from './network-error.ts'
import { fetchPages } from './pages.ts'
import type { FinalResponse } from './redirect.ts'

const maxPageBytes = 16 * 1024 * 1024

type FetchPage = (target: string | URL) => Promise<FinalResponse>

interface ListKind {
  /** In messages: `tag list`. */
  readonly what: string
  readonly key: string
  readonly isName: (text: string) => boolean
}

/** All tags of a repository, in the registry's order (distribution-spec, "Listing Tags"). See {@link listNames}. */
export function listTags(fetchPage: FetchPage, firstPage: string): AsyncIterable<string> {
  return listNames(fetchPage, firstPage, { what: 'tag list', key: 'tags', isName: isTag })
}

/** The repositories of a registry, as far as it tells (docker's registry API, "Catalog"). See {@link listNames}. */
export function listRepositories(fetchPage: FetchPage, firstPage: string): AsyncIterable<string> {
  const isName = (text: string): boolean => text.length <= maxNameLength && repository.test(text)
  return listNames(fetchPage, firstPage, {
    what: 'list of repositories',
    key: 'repositories',
    isName,
  })
}

const maxNameLength = 255
const repository = /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/

/**
 * Names, page by page. Throws `RESPONSE_INVALID` for a page that is no such list, and for pages that do not go on as they
 * should.
 */
async function* listNames(
  fetchPage: FetchPage,
  firstPage: string,
  { what, key, isName }: ListKind,
): AsyncIterable<string> {
  const pages = fetchPages(fetchPage, firstPage, { what, maxPageBytes })
  for await (const { bytes, exchange } of pages) {
    const names = readNames(parseJson(bytes, what, { maxBytes: maxPageBytes }), key, isName)
    if (names === undefined) throw responseInvalid(exchange, `the ${what} is malformed`)
    yield* names
  }
}

function readNames(
  document: JsonValue,
  key: string,
  isName: (text: string) => boolean,
): readonly string[] | undefined {
  if (
    typeof document !== 'object' ||
    document === null ||
    Array.isArray(document) ||
    document instanceof JsonNumber
  ) {
    return undefined
  }
  const list = document[key]
  if (list === null) return []
  if (!Array.isArray(list)) return undefined
  const names: string[] = []
  for (const name of list) {
    if (typeof name !== 'string' || !isName(name)) return undefined
    names.push(name)
  }
  return names
}
