import { readFileSync } from 'node:fs'
import type { PeerOptions, ReplicationRuleOptions, UpstreamOptions } from '@katman/registry'
import { each } from '../sync/read-choice.ts'
import type { YamlValue } from '../sync/yaml-reader.ts'
import { readBytes, readSeconds } from './yaml-units.ts'

const peerKeys = [
  'registry',
  'url',
  'username',
  'password',
  'password-file',
  'trusted-realms',
  'private',
] as const

/** `upstreams:` a list of registries that are cached here. */
export function readUpstreams(value: YamlValue): readonly UpstreamOptions[] {
  return value.list().map((item) => {
    const fields = item.fields([
      ...peerKeys,
      'prefix',
      'only',
      'tag-ttl',
      'missing-ttl',
      'stale-after',
      'max-blob-size',
      'keep',
      'keep-size',
    ])
    return {
      ...readPeer(item, fields),
      ...optional('prefix', fields.prefix?.text()),
      ...optional('only', textsOf(fields.only)),
      ...optional('tagSeconds', fields['tag-ttl'] && readSeconds(fields['tag-ttl'])),
      ...optional('missingSeconds', fields['missing-ttl'] && readSeconds(fields['missing-ttl'])),
      ...optional('staleAfterSeconds', fields['stale-after'] && readSeconds(fields['stale-after'])),
      ...optional('maxBlobBytes', fields['max-blob-size'] && readBytes(fields['max-blob-size'])),
      ...optional('keepDays', fields.keep && readSeconds(fields.keep) / 86_400),
      ...optional('keepBytes', fields['keep-size'] && readBytes(fields['keep-size'])),
    }
  })
}

/** `replication:` a map of rules by their names. */
export function readReplication(value: YamlValue): readonly ReplicationRuleOptions[] {
  return value.entries().map(({ key, value: rule }) => {
    const fields = rule.fields([
      'direction',
      'remote',
      'repositories',
      'tags',
      'except-tags',
      'rename',
      'referrers',
      'platforms',
      'every',
      'on-push',
      'deletes',
      'bandwidth',
      'concurrency',
    ])
    const { direction, remote, rename } = fields
    if (direction === undefined) throw rule.fail('direction is missing: push or pull')
    if (remote === undefined) throw rule.fail('remote is missing: the other registry')
    const names = rename?.fields(['from', 'to'])
    return {
      name: key,
      direction: readDirection(direction),
      remote: readPeer(remote, remote.fields(peerKeys)),
      ...optional('repositories', textsOf(fields.repositories)),
      ...optional('tags', textsOf(fields.tags)),
      ...optional('exceptTags', textsOf(fields['except-tags'])),
      ...optional(
        'rename',
        names && { from: names.from?.text() ?? '', to: names.to?.text() ?? '' },
      ),
      ...optional('referrers', fields.referrers?.boolean()),
      ...optional('platforms', textsOf(fields.platforms)),
      ...optional('everySeconds', fields.every && readSeconds(fields.every)),
      ...optional('onPush', fields['on-push']?.boolean()),
      ...optional('deletes', fields.deletes?.boolean()),
      ...optional('bytesPerSecond', fields.bandwidth && readBytes(fields.bandwidth)),
      ...optional('concurrency', fields.concurrency?.count()),
    }
  })
}

function readPeer(
  item: YamlValue,
  fields: Partial<Record<(typeof peerKeys)[number], YamlValue>>,
): PeerOptions {
  if (fields.registry === undefined) throw item.fail('registry is missing: docker.io, host:port')
  return {
    registry: fields.registry.text(),
    ...optional('url', fields.url?.text()),
    ...optional('username', fields.username?.text()),
    ...optional('password', passwordOf(fields.password, fields['password-file'])),
    ...optional('trustedRealms', textsOf(fields['trusted-realms'])),
    ...optional('isPrivate', fields.private?.boolean()),
  }
}

function passwordOf(
  password: YamlValue | undefined,
  file: YamlValue | undefined,
): string | undefined {
  if (file === undefined) return password?.text()
  if (password !== undefined) throw file.fail('password and password-file are given: choose one')
  try {
    return readFileSync(file.text(), 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw file.fail(`cannot read the password from ${file.text()}: ${code ?? 'it failed'}`)
  }
}

function readDirection(value: YamlValue): 'push' | 'pull' {
  const text = value.text()
  if (text === 'push' || text === 'pull') return text
  throw value.fail(`'${text}' is neither push nor pull`)
}

function textsOf(value: YamlValue | undefined): readonly string[] | undefined {
  return value && each(value, (item) => item.text())
}

/** A field that is left out when there is no value. */
function optional<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript widens computed keys
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value }
}
