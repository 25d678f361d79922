import { Range, SemVer } from 'semver'

/** A tag as a version: numbers, and what follows them. */
interface TagVersion {
  readonly numbers: readonly number[]
  readonly suffix: string
}

const version = /^v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:[-+_](.+))?$/

/** Sorts tags that are versions, the newest first; of equal numbers the one without a suffix. Others are left out. */
export function newestVersions(tags: readonly string[]): readonly string[] {
  return tags
    .flatMap((tag) => {
      const parsed = parseVersion(tag)
      return parsed === undefined ? [] : [{ tag, ...parsed }]
    })
    .toSorted((left, right) => compare(right, left))
    .map(({ tag }) => tag)
}

/** The test for a range such as `>=3.18 <4` or `3.18 - 3.20`; undefined when it is none. Missing numbers are 0. */
export function versionRange(text: string): ((tag: string) => boolean) | undefined {
  let range: Range
  try {
    range = new Range(text.replaceAll(',', ' '))
  } catch {
    return undefined
  }
  return (tag) => {
    const parsed = parseVersion(tag)
    if (parsed === undefined || parsed.numbers.length > 3) return false
    const [major = 0, minor = 0, patch = 0] = parsed.numbers
    const suffix = parsed.suffix.replaceAll(/[^0-9A-Za-z.-]/g, '-')
    try {
      const suffixed = suffix === '' ? '' : `-${suffix}`
      return range.test(new SemVer(`${major}.${minor}.${patch}${suffixed}`))
    } catch {
      return false
    }
  }
}

function parseVersion(tag: string): TagVersion | undefined {
  const [, numbers, suffix = ''] = version.exec(tag) ?? []
  if (numbers === undefined) return undefined
  return { numbers: numbers.split('.').map(Number), suffix }
}

function compare(left: TagVersion, right: TagVersion): number {
  for (let at = 0; at < 4; at++) {
    const difference = (left.numbers[at] ?? -1) - (right.numbers[at] ?? -1)
    if (difference !== 0) return difference
  }
  if (left.suffix === right.suffix) return 0
  if (left.suffix === '') return 1
  if (right.suffix === '') return -1
  return left.suffix.localeCompare(right.suffix, 'en', { numeric: true })
}
