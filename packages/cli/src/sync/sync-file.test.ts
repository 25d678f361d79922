import { describe, expect, it } from 'vitest'
import { readSyncFile } from './sync-file.ts'
import { chooseTags } from './tag-choice.ts'

const read = (text: string, more = {}) =>
  readSyncFile(text, { file: 'f.yaml', destination: undefined, scoped: false, ...more })
const tags = ['latest', '3.18', '3.19', '3.20', '3.20.1', '3.20-rc1', '3.21-slim', 'edge', 'v4']

describe('readSyncFile', () => {
  it('reads a list of repositories and images, with defaults', () => {
    const { entries } = read(`
version: 1
defaults:
  referrers: true
  platforms: [linux/amd64, linux/arm64]
sync:
  - source: alpine
    target: mirror.example/alpine
    keepNewest: 2
  - source: busybox:1.36
    target: mirror.example/busybox:stable
    platform: linux/arm/v7
    referrers: false
`)
    expect(entries).toMatchObject([
      {
        line: 7,
        source: { registry: 'docker.io', repository: 'library/alpine' },
        target: { registry: 'mirror.example', repository: 'alpine' },
        images: { keepNewest: 2, named: [] },
        referrers: true,
        platforms: [{ architecture: 'amd64' }, { architecture: 'arm64' }],
      },
      {
        line: 10,
        images: { reference: '1.36' },
        target: { tag: 'stable' },
        referrers: false,
        platforms: [{ architecture: 'arm', variant: 'v7' }],
      },
    ])
  })

  it.each<[string, string, readonly string[]]>([
    ['all without a choice', '', tags],
    ['names and globs', 'tags: [latest, "3.2?", 3.18]', ['latest', '3.18', '3.20']],
    ['a number as it is written', 'tags: [3.20]', ['3.20']],
    ['a regular expression in slashes', 'tags: ["/3\\\\.\\\\d+/"]', ['3.18', '3.19', '3.20']],
    [
      'what is allowed and not denied',
      'tags: {allow: ["3.*"], deny: [".*-.*"]}',
      ['3.18', '3.19', '3.20', '3.20.1'],
    ],
    ['what is not denied', 'tags: {deny: ["[a-z].*", "3.*"]}', []],
    ['a range of versions', 'tags: {semver: ">=3.19 <4"}', ['3.19', '3.20', '3.20.1']],
    ['a range as skopeo writes it', 'tags: {semverRange: ["3.18 - 3.19"]}', ['3.18', '3.19']],
    ['globs in a map', 'tags: {glob: "*-slim"}', ['3.21-slim']],
    ['the newest', 'tags: {glob: "3.*"}\n    keepNewest: 3', ['3.21-slim', '3.20.1', '3.20']],
    ['the newest versions of all', 'keepNewest: 1', ['v4']],
    ['names beside the newest', 'tags: [edge, "3.??"]\n    keepNewest: 1', ['edge', '3.20']],
  ])('chooses tags: %s', (_, choice, expected) => {
    const { entries } = read(`sync:\n  - source: a\n    target: b.example/a\n    ${choice}\n`)
    const [entry] = entries
    if (entry === undefined || 'reference' in entry.images) throw new Error('no choice of tags')
    expect(chooseTags(tags, entry.images)).toEqual(expected)
  })

  it('reads registries with images as skopeo does, below a destination', () => {
    const text = `
registry.example:5000:
  tls-verify: false
  images:
    team/busybox: []
    redis:
      - "1.0"
      - sha256:${'a'.repeat(64)}
  images-by-tag-regex:
    nginx: ^3\\.1[89]$
  images-by-semver:
    alpine: 3.18 - 3.20
`
    const { entries, insecure } = read(text, { destination: 'mirror.example/x/' })
    expect(insecure).toEqual(['registry.example:5000'])
    const chosen = entries.map(({ images, source, target }) => [
      source.repository,
      `${target.registry}/${target.repository}`,
      'reference' in images ? [] : chooseTags(tags, images),
    ])
    expect(chosen).toEqual([
      ['team/busybox', 'mirror.example/x/busybox', tags],
      ['redis', 'mirror.example/x/redis', ['1.0', `sha256:${'a'.repeat(64)}`]],
      ['nginx', 'mirror.example/x/nginx', ['3.18', '3.19']],
      ['alpine', 'mirror.example/x/alpine', ['3.18', '3.19', '3.20', '3.20.1']],
    ])
    const scoped = read(text, { destination: 'mirror.example', scoped: true })
    expect(scoped.entries[0]?.target.repository).toBe('registry.example-5000/team/busybox')
  })

  it.each([
    ['', 'f.yaml:1: the file is empty'],
    ['sync: [', 'f.yaml:1: '],
    ['sync: 3', 'f.yaml:1: a list is expected here'],
    ['sync:\n  - source: a', "f.yaml:2: 'target' is missing"],
    ['sync:\n  - target: a', "f.yaml:2: 'source' is missing"],
    ['sync:\n  - sources: a', "f.yaml:2: unknown key 'sources': did you mean 'source'?"],
    [
      'sync:\n  - source: a\n    target: b\n    tags: {glob: [1, [2]]}',
      'f.yaml:4: a text is expected',
    ],
    ['sync:\n  - source: a\n    target: b\n    tags: {allow: "("}', 'f.yaml:4: this is no regular'],
    [
      'sync:\n  - source: a\n    target: b\n    tags: {semver: "x y"}',
      'f.yaml:4: this is no range',
    ],
    ['sync:\n  - source: a\n    target: b\n    tags: ["a b"]', "f.yaml:4: 'a b' is no tag"],
    ['sync:\n  - source: a\n    target: b\n    keepNewest: 0', 'f.yaml:4: a whole number from 1'],
    ['sync:\n  - source: a\n    target: b\n    referrers: 1', 'f.yaml:4: true or false'],
    [
      'sync:\n  - source: a\n    target: b\n    platform: x/y/z/w',
      "f.yaml:4: 'x/y/z/w' is no platform",
    ],
    [
      'sync:\n  - source: a\n    target: b\n    type: registry',
      "f.yaml:4: type 'registry' is not known",
    ],
    ['sync:\n  - source: A\n    target: b', "f.yaml:2: 'A' is no image name"],
    ['sync:\n  - source: a\n    target: b:1', 'f.yaml:3: the target of a repository has no tag'],
    [
      'sync:\n  - source: a:1\n    target: b\n    tags: [x]',
      'f.yaml:4: tags are chosen of a repository',
    ],
    ['version: 2\nsync: []', 'f.yaml:1: only version 1 is known'],
    ['a: &a [*a]\nsync: []', 'f.yaml:1: unknown key'],
    ['alpine: []', "f.yaml:1: 'alpine' is no registry"],
    ['r.example:\n  images: {a: []}', 'f.yaml:2: the file names no targets: give a destination'],
  ])('refuses %j and names the line', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })

  it('refuses what skopeo reads from its file and we read elsewhere', () => {
    const text = 'r.example:\n  images: {a: []}\n  credentials: {username: x}'
    expect(() => read(text, { destination: 'm.example' })).toThrow('f.yaml:3: this is not read')
  })
})
