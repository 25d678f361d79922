import { type HttpResponse, readLimited } from './http.ts'
import { type Exchange, responseInvalid } from './network-error.ts'
import { type FinalResponse, parseLocation } from './redirect.ts'

const maxPages = 10_000

/** One page of a list, whole. */
export interface Page {
  readonly bytes: Uint8Array
  readonly response: HttpResponse
  readonly exchange: Exchange
}

/**
 * The pages of a list, by their `next` links (distribution-spec, "Listing Tags"). `what` names the list in messages.
 * Throws `RESPONSE_INVALID` for a page that is too large, for a `next` link to another origin or back, and after
 * 10,000 pages.
 */
export async function* fetchPages(
  fetchPage: (target: string | URL) => Promise<FinalResponse>,
  firstPage: string,
  { what, maxPageBytes }: { readonly what: string; readonly maxPageBytes: number },
): AsyncIterable<Page> {
  const seen = new Set<string>()
  let target: string | URL = firstPage
  for (let pages = 0; ; pages++) {
    const { response, url } = await fetchPage(target)
    const exchange = { method: 'GET', url }
    const bytes = await readLimited(response, maxPageBytes)
    if (bytes === undefined) {
      const limit = `${maxPageBytes / 1024 / 1024} MiB`
      throw responseInvalid(exchange, `a page of the ${what} is larger than ${limit}`)
    }
    yield { bytes, response, exchange }
    const next = nextLink(response.headers.get('link'))
    if (next === undefined) return
    const following = parseLocation(next, { method: 'GET', url })
    if (following.origin !== url.origin)
      throw responseInvalid(exchange, `the ${what} goes on at another host`)
    if (seen.has(following.href) || pages + 1 >= maxPages)
      throw responseInvalid(exchange, `the ${what} never ends`)
    seen.add(following.href)
    target = following
  }
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
