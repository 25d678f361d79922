import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readYaml } from '../sync/yaml-reader.ts'
import { readReplication, readUpstreams } from './proxy-sections.ts'

const upstreams = (text: string) => readUpstreams(readYaml(text, 'registry.yml'))
const replication = (text: string) => readReplication(readYaml(text, 'registry.yml'))

describe('upstreams', () => {
  it('are read with their durations, sizes and password files', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'katman-config-'))
    try {
      const file = path.join(folder, 'password')
      await writeFile(file, 's3cret\n')
      expect(
        upstreams(`
- registry: docker.io
  prefix: hub
  username: robot
  password-file: ${file}
  only: [library/*, bitnami/**]
  tag-ttl: 10m
  missing-ttl: 30s
  stale-after: 2s
  max-blob-size: 20g
  keep: 30d
  keep-size: 500g
- registry: ghcr.io
`),
      ).toEqual([
        {
          registry: 'docker.io',
          prefix: 'hub',
          username: 'robot',
          password: 's3cret',
          only: ['library/*', 'bitnami/**'],
          tagSeconds: 600,
          missingSeconds: 30,
          staleAfterSeconds: 2,
          maxBlobBytes: 20 * 1024 ** 3,
          keepDays: 30,
          keepBytes: 500 * 1024 ** 3,
        },
        { registry: 'ghcr.io' },
      ])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it.each([
    ['- prefix: hub', 'registry.yml:1: registry is missing'],
    [
      '- registry: a.test\n  prefx: hub',
      "registry.yml:2: unknown key 'prefx': did you mean 'prefix'?",
    ],
    ['- registry: a.test\n  keep: soon', "registry.yml:2: 'soon' is no duration"],
    ['- registry: a.test\n  keep-size: much', "registry.yml:2: 'much' is no size"],
    [
      '- registry: a.test\n  password: x\n  password-file: y',
      'registry.yml:3: password and password-file are given',
    ],
    [
      '- registry: a.test\n  password-file: /no/such',
      'cannot read the password from /no/such: ENOENT',
    ],
  ])('%j is refused by its line', (text, message) => {
    expect(() => upstreams(text)).toThrow(message)
  })
})

describe('replication', () => {
  it('is read as rules by their names', () => {
    expect(
      replication(`
offsite:
  direction: push
  remote: { registry: backup.example, private: true, url: "http://10.0.0.9:5000" }
  repositories: [team/**]
  except-tags: ["*-rc*"]
  rename: { from: team/, to: mirror/ }
  platforms: [linux/amd64]
  every: 6h
  on-push: true
  deletes: true
  bandwidth: 20m
`),
    ).toEqual([
      {
        name: 'offsite',
        direction: 'push',
        remote: { registry: 'backup.example', isPrivate: true, url: 'http://10.0.0.9:5000' },
        repositories: ['team/**'],
        exceptTags: ['*-rc*'],
        rename: { from: 'team/', to: 'mirror/' },
        platforms: ['linux/amd64'],
        everySeconds: 21_600,
        onPush: true,
        deletes: true,
        bytesPerSecond: 20 * 1024 ** 2,
      },
    ])
  })

  it.each([
    ['a: { remote: { registry: b.test } }', 'direction is missing'],
    ['a: { direction: sideways, remote: { registry: b.test } }', 'neither push nor pull'],
    ['a: { direction: push }', 'remote is missing'],
  ])('%j is refused', (text, message) => {
    expect(() => replication(text)).toThrow(message)
  })
})
