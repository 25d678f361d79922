import { readdirSync } from 'node:fs'
import path from 'node:path'

import { describe, expect, it } from 'vitest'

import { floors } from './floors.ts'
import { isShipped, listImports, readSources, ROOT } from './source-files.ts'

const sources = readSources()
const folders = new Map(Object.entries(floors).map(([folder, one]) => [one.name, folder]))
/** What a test may use beside the packages. */
/** oidc-provider is the real provider that a registry's login is tested with. */
const testTools = new Set(['vitest', 'vitest/config', 'fast-check', 'oidc-provider'])

describe('imports', () => {
  it('finds every way to import', () => {
    const text = [
      "import a from 'one'",
      "import type { b } from 'two'",
      "export { c } from 'three'",
      "import 'four'",
      "const d = await import('five')",
      "import {\n  e,\n  f,\n} from 'six'",
      "// import g from 'no'",
      "/* import h from 'no' */",
    ].join('\n')
    expect(listImports(text).toSorted()).toEqual(['five', 'four', 'one', 'six', 'three', 'two'])
  })

  it('knows the floor of each package', () => {
    const present = readdirSync(path.join(ROOT, 'packages'))
    expect(present.toSorted()).toEqual(Object.keys(floors).toSorted())
  })

  it('go down the floors only, by package name', () => {
    const faults: string[] = []
    for (const source of sources) {
      const own = floors[source.packageFolder]
      for (const word of source.imports) {
        const name = packageName(word)
        const folder = name === undefined ? undefined : folders.get(name)
        if (folder === undefined) continue
        const target = floors[folder]
        const downward = own !== undefined && target !== undefined && target.floor < own.floor
        if (!downward && folder !== source.packageFolder) {
          faults.push(`${source.file} imports ${word}`)
        }
        if (word !== name) faults.push(`${source.file} reaches into ${word}`)
      }
    }
    expect(faults).toEqual([])
  })

  it('stay inside their package when they are relative', () => {
    const faults: string[] = []
    for (const source of sources) {
      for (const word of source.imports) {
        if (!word.startsWith('.')) continue
        const target = path.posix.join(path.posix.dirname(source.file), word)
        const inside = target.startsWith(`packages/${source.packageFolder}/`)
        // Peer tests share the library that starts the real programs.
        const peers = !isShipped(source) && target.startsWith('test/peers/')
        if (!inside && !peers) faults.push(`${source.file} imports ${word}`)
      }
    }
    expect(faults).toEqual([])
  })

  it('name only Node, the allowed packages and, in tests, the test tools', () => {
    const faults: string[] = []
    for (const source of sources) {
      const allowed = new Set(Object.keys(floors[source.packageFolder]?.npm ?? {}))
      for (const word of source.imports) {
        if (word.startsWith('.') || word.startsWith('node:')) continue
        const name = packageName(word) ?? word
        if (folders.has(name) || allowed.has(name)) continue
        if (!isShipped(source) && testTools.has(word)) continue
        // Suites that other packages run (places, targets) are written with the test tools.
        if (source.file.endsWith('-suite.ts') && testTools.has(word)) continue
        faults.push(`${source.file} imports ${word}`)
      }
    }
    expect(faults).toEqual([])
  })

  it('of the formats need no Node', () => {
    const faults = sources
      .filter((source) => source.packageFolder === 'oci' && isShipped(source))
      .flatMap((source) =>
        source.imports
          .filter((word) => word.startsWith('node:'))
          .map((word) => `${source.file} imports ${word}`),
      )
    expect(faults).toEqual([])
  })
})

/** `@katman/oci/x` → `@katman/oci`; undefined for relative names and Node's own. */
function packageName(word: string): string | undefined {
  if (word.startsWith('.') || word.startsWith('node:')) return undefined
  return word
    .split('/')
    .slice(0, word.startsWith('@') ? 2 : 1)
    .join('/')
}
