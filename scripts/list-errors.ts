import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'

// npx node scripts/list-errors.ts: prints every error code of the packages, with where it is made and whether
// docs/errors.md has its row. Exit status 1 when a row is missing.

const root = path.resolve(import.meta.dirname, '..')
const page = path.join(root, 'docs', 'errors.md')

/** One error code and the files that make it. */
export interface ErrorCode {
  readonly code: string
  readonly files: readonly string[]
}

/** Every code that the packages' sources give to `new KatmanError(…)`, sorted. */
export function listErrorCodes(): readonly ErrorCode[] {
  const texts = new Map<string, string>()
  for (const file of globSync('packages/*/src/**/*.ts', { cwd: root })) {
    if (file.endsWith('.test.ts')) continue
    texts.set(file.split(path.sep).join('/'), readFileSync(path.join(root, file), 'utf8'))
  }
  const found = new Map<string, Set<string>>()
  for (const [file, text] of texts) {
    for (const code of codesOf(text)) {
      const files = found.get(code) ?? new Set<string>()
      found.set(code, files.add(file))
    }
  }
  return Array.from(found, ([code, files]) => ({ code, files: [...files].toSorted() })).toSorted(
    (a, b) => (a.code < b.code ? -1 : 1),
  )
}

/** The codes that have a row (first cell `CODE`) in docs/errors.md; undefined when there is no such page. */
export function listDocumentedCodes(): readonly string[] | undefined {
  if (!existsSync(page)) return undefined
  const rows = readFileSync(page, 'utf8').matchAll(/^\|\s*`([A-Z][A-Z0-9_]*)`\s*\|/gm)
  return Array.from(rows, (row) => row[1] ?? '')
}

/**
 * The codes in one source text: in the first argument of `new KatmanError(…)`; of a function of that text whose first
 * parameter is `code: string`; and in what is assigned to a name `code` or `…Code`.
 */
export function codesOf(text: string): readonly string[] {
  const plain = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
  const helpers = Array.from(
    plain.matchAll(/function (\w+)\(\s*(?:readonly )?code: string/g),
    (match) => match[1] ?? '',
  )
  const codes = new Set<string>()
  for (const name of ['new KatmanError', ...helpers]) {
    for (const match of plain.matchAll(new RegExp(`\\b${name}\\(([^,]*),`, 'g'))) {
      for (const code of literals(match[1] ?? '')) codes.add(code)
    }
  }
  for (const match of plain.matchAll(
    /\b(?:code|\w+Code)(?:: string)? = ([^\n]*(?:\n\s+[?:][^\n]*)*)/g,
  )) {
    for (const code of literals(match[1] ?? '')) codes.add(code)
  }
  return [...codes]
}

function literals(expression: string): string[] {
  // A word that is compared (`x === 'EPROTO'`) is a condition, not a code that is made.
  const values = expression.replaceAll(/[!=]==? '[^']*'/g, '')
  return Array.from(values.matchAll(/'([A-Z][A-Z0-9_]+)'/g), (match) => match[1] ?? '')
}

if (import.meta.main) {
  const documented = new Set(listDocumentedCodes())
  for (const { code, files } of listErrorCodes()) {
    if (!documented.has(code)) process.exitCode = 1
    console.log(`${documented.has(code) ? ' ' : '!'} ${code.padEnd(28)} ${files.join(' ')}`)
  }
}
