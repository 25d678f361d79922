import {
  isDigest,
  isKatmanError,
  isTag,
  type KatmanError,
  parseReference,
  type Reference,
} from '@katman/oci'
import { globTest, regexTest, type TagChoice } from './tag-choice.ts'
import { versionRange } from './tag-versions.ts'
import type { YamlValue } from './yaml-reader.ts'

/** A name in YAML. */
export function readName(value: YamlValue, text: string = value.text()): Reference {
  try {
    return parseReference(text)
  } catch (error) {
    if (!isKatmanError(error)) throw error
    throw value.fail(`'${text}' is no image name`)
  }
}

/** A list of names and globs (`/…/` is a regular expression), or a map of how to choose. Nothing, or an empty list: all tags. */
export function readChoice(
  value: YamlValue | undefined,
  keepNewest: YamlValue | undefined,
): TagChoice {
  const kept = keepNewest?.count()
  const all = [() => true]
  if (value === undefined || value.isEmpty || (value.isList && value.list().length === 0)) {
    return { named: [], allow: all, deny: [], keepNewest: kept }
  }
  if (value.isList) {
    const items = value.list().map(readTagItem)
    const named = items.flatMap((item) => (typeof item === 'string' ? [item] : []))
    const allow = items.flatMap((item) => (typeof item === 'string' ? [] : [item]))
    return { named, allow, deny: [], keepNewest: kept }
  }
  const { allow, deny, glob, semver, semverRange } = value.fields([
    'allow',
    'deny',
    'glob',
    'semver',
    'semverRange',
  ])
  const tests = [
    ...each(allow, readRegex),
    ...each(glob, (item) => globTest(item.text())),
    ...each(semver ?? semverRange, readRange),
  ]
  return {
    named: [],
    allow: tests.length === 0 ? all : tests,
    deny: each(deny, readRegex),
    keepNewest: kept,
  }
}

export function readRegex(value: YamlValue): (tag: string) => boolean {
  return regexTest(value.text()) ?? fail(value.fail('this is no regular expression'))
}

export function readRange(value: YamlValue): (tag: string) => boolean {
  return versionRange(value.text()) ?? fail(value.fail('this is no range of versions'))
}

function readTagItem(value: YamlValue): string | ((tag: string) => boolean) {
  const text = value.text()
  if (text.length > 2 && text.startsWith('/') && text.endsWith('/')) {
    return regexTest(text.slice(1, -1)) ?? fail(value.fail('this is no regular expression'))
  }
  if (/[*?]/.test(text)) return globTest(text)
  if (isTag(text) || isDigest(text)) return text
  throw value.fail(`'${text}' is no tag`)
}

/** One value, or a list of them. */
export function each<T>(value: YamlValue | undefined, read: (item: YamlValue) => T): readonly T[] {
  if (value === undefined) return []
  return value.isList ? value.list().map(read) : [read(value)]
}

function fail(error: KatmanError): never {
  throw error
}
