import type { IncomingMessage } from 'node:http'
import { Refusal } from '../refusal.ts'

const maxTarget = 8192
const maxHeaders = 100

/**
 * Refuses what no client of a registry sends before anything else looks at it: paths that two readers could take for different
 * ones (encoded slashes and dots, `..`, a backslash), control characters, heads with too many lines.
 */
export function checkTarget({ url = '', rawHeaders }: IncomingMessage, path: string): void {
  if (url.length > maxTarget) throw new Refusal(414, 'UNSUPPORTED', 'the address is too long')
  if (rawHeaders.length > 2 * maxHeaders) {
    throw new Refusal(431, 'UNSUPPORTED', `a request has at most ${maxHeaders} headers`)
  }
  if (!path.startsWith('/') || isDubious(path)) {
    throw new Refusal(400, 'NAME_INVALID', 'the path is not written plainly')
  }
}

function isDubious(path: string): boolean {
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at)
    if (code <= 0x20 || code >= 0x7f || code === 0x5c) return true
    // %2e, %2f, %5c, and all that stands for a control character.
    if (
      code === 0x25 &&
      !/^(?:2[^ef]|[34][0-9a-f]|5[^c]|6[0-9a-f]|7[^f]|[89a-f][0-9a-f])/i.test(
        path.slice(at + 1, at + 3),
      )
    )
      return true
    if (code === 0x2e && isDots(path, at)) return true
  }
  return false
}

/** `.` and `..` as a whole part of the path. */
function isDots(path: string, at: number): boolean {
  if (path[at - 1] !== '/') return false
  const after = path[at + 1] === '.' ? path[at + 2] : path[at + 1]
  return after === undefined || after === '/'
}
