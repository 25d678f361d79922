import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** The root of this checkout. */
export const ROOT = path.resolve(import.meta.dirname, '..', '..')

/** One source file, with what it imports. */
export interface SourceFile {
  /** Path from the root, with `/`. */
  readonly file: string
  /** The folder name under `packages/`. */
  readonly packageFolder: string
  readonly text: string
  readonly imports: readonly string[]
}

/** Every TypeScript file of the packages. */
export function readSources(): readonly SourceFile[] {
  return globSync('packages/*/{src,test,bin}/**/*.{ts,js}', { cwd: ROOT })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => !file.includes('/node_modules/') && !file.includes('/fixtures/'))
    .toSorted()
    .map((file) => {
      const text = readFileSync(path.join(ROOT, file), 'utf8')
      const [, packageFolder = ''] = file.split('/')
      return { file, packageFolder, text, imports: listImports(text) }
    })
}

/** The module names after `from`, `import` and `import(…)`. */
export function listImports(text: string): string[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  const pattern =
    /(?:^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*|^\s*import\s*|\bimport\(\s*)(['"])([^'"\n]+)\1/gm
  return Array.from(code.matchAll(pattern), (match) => match[2] ?? '')
}

/** True for files that ship: not tests, not test suites' support. */
export function isShipped(source: SourceFile): boolean {
  return !source.file.endsWith('.test.ts') && !/^packages\/[^/]+\/test\//.test(source.file)
}
