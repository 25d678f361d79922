import { readFileSync } from 'node:fs'
import path from 'node:path'

import { describe, expect, it } from 'vitest'

import { missingEntries } from '../../scripts/complete-lockfile.ts'
import type { Lockfile } from '../../scripts/complete-lockfile.ts'
import { floors } from './floors.ts'
import { isShipped, readSources, ROOT } from './source-files.ts'

interface PackageJson {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const sources = readSources()

describe('dependencies', () => {
  it.each(Object.entries(floors))('of %s are the allowed ones', (folder, { name, floor, npm }) => {
    const manifest = readJson<PackageJson>(`packages/${folder}/package.json`)
    expect(manifest.name).toBe(name)
    const below = new Set(
      Object.values(floors)
        .filter((one) => one.floor < floor)
        .map((one) => one.name),
    )
    const declared = Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    })
    const unexpected = declared.filter((word) => !below.has(word) && npm[word] === undefined)
    expect(unexpected, 'declared, but not in test/foundation/floors.ts').toEqual([])
    // For its tests a package may look up and down in the house.
    const own = new Set(Object.values(floors).map((one) => one.name))
    const tools = Object.keys(manifest.devDependencies ?? {}).filter((word) => !own.has(word))
    expect(tools, 'tools belong to the root').toEqual([])
  })

  it.each(Object.entries(floors))('of %s are declared where they are used', (folder, { name }) => {
    const manifest = readJson<PackageJson>(`packages/${folder}/package.json`)
    const declared = new Set(Object.keys(manifest.dependencies ?? {}))
    const used = new Set(
      sources
        .filter((source) => source.packageFolder === folder && isShipped(source))
        .flatMap((source) => source.imports)
        .filter((word) => !word.startsWith('.') && !word.startsWith('node:'))
        .map((word) => /^(?:@[^/]+\/)?[^/]+/.exec(word)?.[0] ?? word)
        .filter((word) => word !== name && word !== 'vitest' && word !== 'fast-check'),
    )
    expect([...used].filter((word) => !declared.has(word))).toEqual([])
  })

  it('of the workspace are tools only', () => {
    expect(readJson<PackageJson>('package.json').dependencies).toBeUndefined()
  })

  it('run no code at installation, but for the pinned Node', () => {
    const lockfile = readJson<Lockfile>('package-lock.json')
    const running = Object.entries(lockfile.packages)
      .filter(([, entry]) => entry.hasInstallScript === true)
      .map(([place]) => place)
    expect(running).toEqual(['node_modules/node'])
  })

  it('are all in the lockfile, or npm ci installs nothing (scripts/complete-lockfile.ts)', () => {
    expect(missingEntries(readJson<Lockfile>('package-lock.json'))).toEqual({})
  })
})

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(path.join(ROOT, file), 'utf8')) as T
}
