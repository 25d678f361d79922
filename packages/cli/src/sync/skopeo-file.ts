import type { Reference } from '@katman/oci'
import { readChoice, readName, readRange, readRegex } from './read-choice.ts'
import type { ReadOptions, SyncEntry, SyncFile } from './sync-entry.ts'
import type { TagChoice } from './tag-choice.ts'
import type { YamlValue } from './yaml-reader.ts'

const registryKeys = [
  'images',
  'images-by-tag-regex',
  'images-by-semver',
  'tls-verify',
  'credentials',
  'cert-dir',
] as const

/** Registries with their images and tags, as `skopeo sync --src yaml` reads them. The destination is typed beside it. */
export function readSkopeoFile(root: YamlValue, options: ReadOptions): SyncFile {
  const entries: SyncEntry[] = []
  const insecure: string[] = []
  for (const { key: registry, value } of root.entries()) {
    if (!/^(?:localhost|[^/]*[.:][^/]*)$/.test(registry)) {
      throw value.fail(`'${registry}' is no registry, and there is no list under 'sync'`)
    }
    if (options.destination === undefined) {
      throw value.fail('the file names no targets: give a destination, REGISTRY or REGISTRY/PATH')
    }
    const fields = value.fields(registryKeys)
    refuse(fields.credentials, `log in instead: katman login ${registry}`)
    refuse(fields['cert-dir'], `put the certificates into /etc/docker/certs.d/${registry}`)
    if (fields['tls-verify']?.boolean() === false) insecure.push(registry)
    const add = (images: YamlValue | undefined, read: (tags: YamlValue) => TagChoice): void => {
      for (const { key, value: tags } of images?.entries() ?? []) {
        const source = readName(tags, `${registry}/${key}`)
        if (source.tag !== undefined || source.digest !== undefined) {
          throw tags.fail(`'${key}': tags stand in the list, not in the name`)
        }
        entries.push({
          line: tags.line,
          source,
          target: targetOf(source, tags, options),
          images: read(tags),
          platforms: [],
          referrers: false,
        })
      }
    }
    add(fields.images, (tags) => readChoice(tags, undefined))
    add(fields['images-by-tag-regex'], (tags) => only(readRegex(tags)))
    add(fields['images-by-semver'], (tags) => only(readRange(tags)))
  }
  return { entries, insecure }
}

function only(test: (tag: string) => boolean): TagChoice {
  return { named: [], allow: [test], deny: [], keepNewest: undefined }
}

/** The last part of the source's name below the destination; its whole name when scoped. */
function targetOf(
  { registry, repository }: Reference,
  value: YamlValue,
  { destination = '', scoped }: ReadOptions,
): Reference {
  const name = scoped
    ? `${registry}/${repository}`
    : repository.slice(repository.lastIndexOf('/') + 1)
  // A port has no place in a path.
  return readName(value, `${destination.replace(/\/+$/, '')}/${name.replaceAll(':', '-')}`)
}

function refuse(value: YamlValue | undefined, instead: string): void {
  if (value !== undefined) throw value.fail(`this is not read from the file: ${instead}`)
}
