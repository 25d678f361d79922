import { newestVersions } from './tag-versions.ts'

/** Which tags of a repository are wanted. */
export interface TagChoice {
  /** These, whether the registry lists them or not. */
  readonly named: readonly string[]
  /** Of the registry's list each for which one of these is true. */
  readonly allow: readonly ((tag: string) => boolean)[]
  /** But none of these. Named ones stay. */
  readonly deny: readonly ((tag: string) => boolean)[]
  /** Of what patterns choose only the newest versions. */
  readonly keepNewest: number | undefined
}

/** Named tags first, then the others in the order of the registry, or the newest first. */
export function chooseTags(listed: readonly string[], choice: TagChoice): readonly string[] {
  const { named, allow, deny, keepNewest } = choice
  const found = listed.filter(
    (tag) => allow.some((test) => test(tag)) && !deny.some((test) => test(tag)),
  )
  const kept = keepNewest === undefined ? found : newestVersions(found).slice(0, keepNewest)
  return [...new Set([...named, ...kept])]
}

/** The test for a pattern with `*` and `?`. */
export function globTest(glob: string): (tag: string) => boolean {
  const parts = glob.split(/([*?])/).map((part) => {
    if (part === '*') return '.*'
    return part === '?' ? '.' : part.replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&')
  })
  return regexTest(parts.join('')) ?? (() => false)
}

/** The test for a regular expression that must fit the whole tag; undefined when it is none. */
export function regexTest(pattern: string): ((tag: string) => boolean) | undefined {
  try {
    const regex = new RegExp(`^(?:${pattern})$`, 'u')
    return (tag) => regex.test(tag)
  } catch {
    return undefined
  }
}
