import { isKatmanError, type Platform } from '@katman/oci'
import { typedPlatform } from '../host-platform.ts'
import { each, readChoice, readName } from './read-choice.ts'
import { readSkopeoFile } from './skopeo-file.ts'
import type { ReadOptions, SyncEntry, SyncFile } from './sync-entry.ts'
import { readYaml, type YamlValue } from './yaml-reader.ts'

const entryKeys = [
  'source',
  'target',
  'type',
  'tags',
  'keepNewest',
  'platform',
  'platforms',
  'referrers',
  'digestTags',
] as const
const defaultKeys = ['keepNewest', 'platform', 'platforms', 'referrers', 'digestTags'] as const
type Fields = Partial<Record<(typeof entryKeys)[number], YamlValue>>

/**
 * Reads what to keep in step: a list under `sync`, as for regsync, or registries with their images, as for skopeo.
 * Throws `SYNC_FILE_INVALID` with the line.
 */
export function readSyncFile(text: string, options: ReadOptions): SyncFile {
  const root = readYaml(text, options.file)
  if (root.isEmpty) throw root.fail('the file is empty')
  const isList = root.entries().some(({ key }) => key === 'sync')
  if (!isList) return readSkopeoFile(root, options)
  if (options.destination !== undefined) {
    throw root.fail('the entries name their targets: give no destination')
  }
  const { version, defaults, sync } = root.fields(['version', 'defaults', 'sync'])
  if (version !== undefined && version.count() !== 1) throw version.fail('only version 1 is known')
  const shared = defaults?.fields(defaultKeys) ?? {}
  return { entries: sync?.list().map((one) => readEntry(one, shared)) ?? [], insecure: [] }
}

function readEntry(value: YamlValue, shared: Fields): SyncEntry {
  const own = value.fields(entryKeys)
  const fields: Fields = { ...shared, ...own }
  if (own.source === undefined) throw value.fail("'source' is missing")
  if (own.target === undefined) throw value.fail("'target' is missing")
  const source = readName(own.source)
  const target = readName(own.target)
  const reference = source.digest ?? source.tag
  const type = own.type?.text() ?? (reference === undefined ? 'repository' : 'image')
  if (type !== 'repository' && type !== 'image') {
    throw (own.type ?? value).fail(`type '${type}' is not known: choose repository or image`)
  }
  if (type === 'repository' && reference !== undefined) {
    throw own.source.fail('a repository is given without tag and digest')
  }
  if (target.digest !== undefined) throw own.target.fail('a target has no digest')
  if (type === 'repository' && target.tag !== undefined) {
    throw own.target.fail('the target of a repository has no tag: each keeps its own')
  }
  if (type === 'image' && own.tags !== undefined) {
    throw own.tags.fail('tags are chosen of a repository: give the source without a tag')
  }
  const images =
    type === 'image'
      ? { reference: reference ?? 'latest' }
      : readChoice(own.tags, fields.keepNewest)
  return {
    line: value.line,
    source: { registry: source.registry, repository: source.repository },
    target,
    images,
    platforms: readPlatforms((own.platform ?? own.platforms) ? own : shared),
    referrers: fields.referrers?.boolean() ?? fields.digestTags?.boolean() ?? false,
  }
}

function readPlatforms({ platform, platforms }: Fields): readonly Platform[] {
  if (platform !== undefined && platforms !== undefined) {
    throw platforms.fail("'platform' and 'platforms' are given: choose one")
  }
  return each(platform ?? platforms, (item) => {
    try {
      return typedPlatform(item.text())
    } catch (error) {
      if (!isKatmanError(error, 'PLATFORM_INVALID')) throw error
      throw item.fail(`'${item.text()}' is no platform: write linux/arm64`)
    }
  })
}
