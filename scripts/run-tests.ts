import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'

// npm test [-- WORDS]: runs vitest and ends with one plain line, "N passed, N failed, N skipped".
// Words go to vitest: file name parts, -t NAME, --project peers. Without --project only the unit tests
// run; KATMAN_PEERS=1 adds the peers.

/** The part of vitest's JSON report that is counted. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  /** Files; a file that could not even be loaded has failed without a failed test. */
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

const words = process.argv.slice(2)
const root = path.resolve(import.meta.dirname, '..')
const folder = mkdtempSync(path.join(tmpdir(), 'katman-tests-'))
try {
  const reportFile = path.join(folder, 'report.json')
  const vitest = path.join(
    path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
    'vitest.mjs',
  )
  const chosen = words.some((word) => word.startsWith('--project'))
  const project = chosen || process.env['KATMAN_PEERS'] === '1' ? [] : ['--project', 'unit']
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
  const run = spawnSync(
    process.execPath,
    [vitest, 'run', ...project, ...reporters, ...words],
    // `env node` in a program under test must find the Node that runs the tests.
    { cwd: root, stdio: 'inherit', env: { ...process.env, PATH: pathWithThisNode() } },
  )
  const { passed, failed, skipped } = countTests(reportFile)
  // vitest may fail without a failed test (an unhandled error): its word counts too.
  process.exitCode = run.status === 0 && failed === 0 && passed > 0 ? 0 : 1
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function pathWithThisNode(): string {
  return `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`
}

function countTests(file: string): { passed: number; failed: number; skipped: number } {
  let report: Report
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
  const brokenFiles = report.testResults.filter(
    (one) =>
      one.status === 'failed' && !one.assertionResults.some((test) => test.status === 'failed'),
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}
