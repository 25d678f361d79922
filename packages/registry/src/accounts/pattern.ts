import { matchesGlob } from '../glob.ts'
/**
 * Which repositories a right is for: parts between slashes, in which `*` stands for any text; `**` as the last part
 * for everything below, and alone for every repository. A name of one part is the one in `library`, as on Docker Hub.
 */
export type Pattern = string

const maxLength = 255
const part = /^[a-z0-9*]+(?:[._-]+[a-z0-9*]+)*$/

export function isPattern(text: string): boolean {
  if (text.length === 0 || text.length > maxLength) return false
  const parts = text.split('/')
  return parts.every((one, index) =>
    one.includes('**') ? one === '**' && index === parts.length - 1 : part.test(one),
  )
}

/** Whether a pattern is for this repository. Takes time in proportion to the two lengths multiplied at the most. */
export function matches(pattern: Pattern, repository: string): boolean {
  if (pattern === '**') return true
  const wanted = inLibrary(pattern).split('/')
  const parts = inLibrary(repository).split('/')
  const isDeep = wanted.at(-1) === '**'
  if (isDeep ? parts.length < wanted.length : parts.length !== wanted.length) return false
  return wanted.every(
    (one, index) => (isDeep && index === wanted.length - 1) || matchesGlob(one, parts[index] ?? ''),
  )
}

/** Whether `outer` is for everything that `inner` is for. False where that is not plain to see. */
export function covers(outer: Pattern, inner: Pattern): boolean {
  if (outer === '**' || outer === inner) return true
  // It is in no namespace, not even in `library`.
  if (inner === '**') return false
  if (!inner.includes('*')) return matches(outer, inner)
  const [wanted, parts] = [inLibrary(outer).split('/'), inLibrary(inner).split('/')]
  const isDeep = wanted.at(-1) === '**'
  if (isDeep ? parts.length < wanted.length : parts.length !== wanted.length) return false
  return wanted.every((one, index) => {
    if (isDeep && index === wanted.length - 1) return true
    const given = parts[index] ?? ''
    if (given === '**') return false
    return one === '*' || one === given || (!given.includes('*') && matchesGlob(one, given))
  })
}

/** The one namespace a pattern is for; undefined when it is for several. */
export function namespaceOfPattern(pattern: Pattern): string | undefined {
  if (pattern === '**') return undefined
  const [first = ''] = inLibrary(pattern).split('/')
  return first.includes('*') ? undefined : first
}

/** The whole name of a repository: one of one part is in `library`. */
export function inLibrary(name: string): string {
  return name.includes('/') ? name : `library/${name}`
}
