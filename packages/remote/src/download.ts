import type { Bytes } from '@katman/oci'
import { KatmanError } from '@katman/oci'
import { type HttpTransport, readLimited } from './http.ts'
import { sendFollowing } from './redirect.ts'
import { shownText, shownUrl } from './shown.ts'

/** How much of a page about an error is shown. */
const maxPageBytes = 4096

/**
 * Opens the content of a URL that a user gave, following redirects. The stream throws `CONNECTION_LOST` when it does not
 * arrive whole. Throws `DOWNLOAD_REFUSED`, `REDIRECT_REFUSED`, network errors.
 */
export async function download(
  transport: HttpTransport,
  address: string,
  options: { readonly userAgent: string; readonly signal?: AbortSignal | undefined },
): Promise<Bytes> {
  const url = parseAddress(address)
  const headers = {
    'user-agent': options.userAgent,
    accept: '*/*',
    'accept-encoding': 'identity',
    ...authorization(url),
  }
  const request = { method: 'GET', url, headers, signal: options.signal } as const
  const send = transport.send.bind(transport)
  const { response } = await sendFollowing(send, request, { publicOnly: false })
  if (response.status === 200) return response.body
  const page = await readLimited(response, maxPageBytes).catch(() => undefined)
  const text = shownText(Buffer.from(page ?? []).toString('utf8'))
  const { status, reason } = response
  throw new KatmanError(
    'DOWNLOAD_REFUSED',
    `failed to GET ${shownUrl(url)} with status ${status} ${reason}: ${text}`,
    { details: { url: shownUrl(url), status } },
  )
}

/** The address as it may be shown: without user, password and query. Throws `DOWNLOAD_REFUSED`. */
export function shownDownload(address: string): string {
  const url = parseAddress(address)
  const isPlain = url.username === '' && url.password === '' && !/[?#]/.test(address)
  return isPlain ? shownText(address) : shownUrl(url)
}

/** What cannot be read is not repeated where it may hold a password. */
function parseAddress(address: string): URL {
  const url = URL.parse(address)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  const what = /[@?]/.test(address) ? 'what was given' : shownText(address)
  throw new KatmanError('DOWNLOAD_REFUSED', `${what} is no address`, {
    hint: 'write http://… or https://…, and in a password %40 for @, %2F for /, %25 for %',
  })
}

/** Takes a user and password out of the address: they are sent to its host only. */
function authorization(url: URL): { readonly authorization?: string } {
  const { username, password } = url
  if (username === '' && password === '') return {}
  url.username = ''
  url.password = ''
  const pair = `${unescaped(username)}:${unescaped(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new KatmanError('DOWNLOAD_REFUSED', 'the user or password in the address has a wrong %', {
      hint: 'write %25 for a % in it',
    })
  }
}
