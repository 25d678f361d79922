import { isTag, parseDigest, type Digest } from '@katman/oci'
import { Refusal } from './refusal.ts'

/** What a path of the distribution API means. */
export type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'search' }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: Digest | string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: Digest }

const maxNameLength = 255
const uploadID = /^[0-9a-f-]{36}$/

/**
 * Reads a path, from the right: a repository may be called `blobs` or `tags`. Names are checked here, before
 * anything else sees them. Undefined when it is no path of the API.
 */
export function parseRoute(path: string): Route | undefined {
  if (path === '/v2' || path === '/v2/') return { kind: 'base' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  if (path === '/v1/search') return { kind: 'search' }
  const parts = path.replaceAll(/%3a/gi, ':').split('/')
  if (parts[0] !== '' || parts[1] !== 'v2') return undefined
  const last = parts.at(-1) ?? ''
  const [third, second] = [parts.at(-3), parts.at(-2)]
  const before = (count: number): string => readName(parts.slice(2, -count))
  if (third === 'blobs' && second === 'uploads') {
    if (last === '') return { kind: 'uploads', repository: before(3) }
    if (!uploadID.test(last)) throw unknownUpload()
    return { kind: 'upload', repository: before(3), id: last }
  }
  if (second === 'blobs' && last === 'uploads') return { kind: 'uploads', repository: before(2) }
  if (second === 'blobs') return { kind: 'blob', repository: before(2), digest: parseDigest(last) }
  if (second === 'tags' && last === 'list') return { kind: 'tags', repository: before(2) }
  if (second === 'referrers')
    return { kind: 'referrers', repository: before(2), digest: parseDigest(last) }
  if (second === 'manifests')
    return { kind: 'manifest', repository: before(2), reference: readReference(last) }
  return undefined
}

/** True for a repository name of the distribution grammar. */
export function isRepositoryName(name: string): boolean {
  return name.length <= maxNameLength && name.split('/').every(isComponent)
}

/** Runs of letters and digits, with one dot, one or two underlines or any number of dashes between two of them. */
function isComponent(text: string): boolean {
  let separator = ''
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isWord = (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39)
    if (isWord) separator = ''
    else {
      separator += text.charAt(at)
      const fits = separator === '.' || separator === '_' || separator === '__'
      if (at === 0 || !(fits || isDashes(separator))) return false
    }
  }
  return text !== '' && separator === ''
}

function isDashes(text: string): boolean {
  return text.endsWith('-') && (text.length === 1 || text.startsWith('-'))
}

export function unknownUpload(): Refusal {
  return new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry')
}

function readName(parts: readonly string[]): string {
  const name = parts.join('/')
  if (isRepositoryName(name)) return name
  throw new Refusal(400, 'NAME_INVALID', 'invalid repository name', {
    detail: { name: name.slice(0, 300) },
  })
}

function readReference(text: string): Digest | string {
  if (text.includes(':')) return parseDigest(text)
  if (isTag(text)) return text
  throw new Refusal(400, 'TAG_INVALID', 'manifest tag did not match the tag grammar', {
    detail: { tag: text.slice(0, 300) },
  })
}
