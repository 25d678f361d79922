import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { goTool } from '../peers/require-peer.ts'
import type { Login } from './clients.ts'
import { runCommand } from '../peers/terminal.ts'

/** Where the suite finds the registry, and who it is there. */
export interface ConformanceTarget {
  /** `127.0.0.1:PORT`; plain http */
  readonly host: string
  /** Who asks; default: nobody. */
  readonly login?: Login | undefined
}

/** What the suite found. */
export interface Sheet {
  /** The summary as the suite prints it: counts, one line for each group of requests and of data. */
  readonly text: string
  /** `results.yaml` as the suite wrote it. */
  readonly yaml: string
  /** Every test, in the order of its run. */
  readonly tests: readonly ConformanceTest[]
  /** The groups of `text` that are anything but `Pass`: `NAME: STATUS`. */
  readonly notPassed: readonly string[]
}

interface ConformanceTest {
  readonly name: string
  readonly status: string
  /** What the suite says about it; empty when it passed. */
  readonly message: string
}

/**
 * Runs the distribution-spec conformance suite with everything it has switched on: the newest version of the
 * specification (upload cancel, digest headers, tag parameters), sparse content, sha512, anonymous mount.
 */
export async function runConformance(target: ConformanceTarget): Promise<Sheet> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-conformance-'))
  try {
    const { stdout, stderr } = await runCommand(goTool('oci-conformance'), [], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        OCI_REGISTRY: target.host,
        OCI_TLS: 'disabled',
        OCI_VERSION: 'dev',
        OCI_DATA_SPARSE: 'true',
        OCI_LOG: 'error',
        OCI_RESULTS_DIR: folder,
        OCI_USERNAME: target.login?.user,
        OCI_PASSWORD: target.login?.secret,
      },
    })
    const start = stdout.indexOf('OCI Conformance Result')
    if (start === -1) throw new Error(`the conformance suite ended early: ${stderr}${stdout}`)
    return {
      text: stdout.slice(start).trim(),
      yaml: await readFile(path.join(folder, 'results.yaml'), 'utf8'),
      tests: readTests(await readFile(path.join(folder, 'junit.xml'), 'utf8')),
      notPassed: readGroups(stdout.slice(start)).filter((line) => !line.endsWith(': Pass')),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The files of docs/conformance: without what differs from run to run. */
export function formatResults({ yaml, tests }: Sheet): Readonly<Record<string, string>> {
  const results = yaml
    .replace(/^( {2}registry: ).*$/m, '$1registry.example')
    .replace(/^( {2}resultsDir: ).*$/m, '$1./results')
  return { 'results.yaml': results, 'junit.xml': formatJunit(tests) }
}

/** The tests, sorted: the suite takes some in any order. Without times and requests: its own file has 2 MB. */
function formatJunit(tests: readonly ConformanceTest[]): string {
  const of = (status: string): number => tests.filter((test) => test.status === status).length
  const counts = `tests="${tests.length}" failures="${of('failure')}" errors="${of('error')}" skipped="${of('skipped')}"`
  const inOrder = tests.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const cases = inOrder.map(
    ({ name, status }) => `  <testcase name="${escape(name)}" status="${status}"/>\n`,
  )
  return `<testsuite name="OCI Conformance Test" ${counts}>\n${cases.join('')}</testsuite>\n`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}

function readGroups(text: string): readonly string[] {
  const lines = text.matchAll(/^ {2}(\S[^.\n]*)\.+: +([A-Z][A-Za-z]+)$/gm)
  return Array.from(lines, ([, name = '', status = '']) => `${name}: ${status}`)
}

function readTests(junit: string): readonly ConformanceTest[] {
  return junit
    .split('<testcase ')
    .slice(1)
    .map((text) => ({
      name: unescape(/name="([^"]*)"/.exec(text)?.[1] ?? ''),
      status: /status="([^"]*)"/.exec(text)?.[1] ?? '',
      message: unescape(/<system-out>([^<]*)<\/system-out>/.exec(text)?.[1] ?? ''),
    }))
}

function unescape(text: string): string {
  const signs: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&' }
  return text.replaceAll(/&(?:#(x[0-9a-fA-F]+|\d+)|(\w+));/g, (whole, code, name) =>
    code === undefined
      ? (signs[String(name)] ?? whole)
      : String.fromCodePoint(Number(String(code).replace('x', '0x'))),
  )
}
