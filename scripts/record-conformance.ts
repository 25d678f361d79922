import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type ConformanceTest, runConformance } from '../test/registry/conformance.ts'
import { deployments } from '../test/registry/deployments.ts'

// npx node scripts/record-conformance.ts [NAME…]: runs the OCI conformance suite against each deployment (or
// those named), prints its sheet and what did not pass, and writes docs/conformance/NAME. Exit status 1 when
// anything did not pass. Needs the peers of scripts/install-peers.sh.

const target = path.resolve(import.meta.dirname, '..', 'docs', 'conformance')
const wanted = process.argv.slice(2)

for (const deployment of deployments) {
  if (wanted.length > 0 && !wanted.includes(deployment.name)) continue
  await using registry = await deployment.start()
  const sheet = await runConformance(registry)
  console.log(`\n=== ${deployment.name}: ${deployment.title}\n${sheet.text}`)
  for (const { name, status, message } of sheet.tests) {
    if (status !== 'passed') console.log(`${status}: ${name}: ${message}`)
  }
  if (sheet.notPassed.length > 0) process.exitCode = 1
  const folder = path.join(target, deployment.name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'results.yaml'), stable(sheet.yaml))
  writeFileSync(path.join(folder, 'junit.xml'), formatJunit(sheet.tests))
}

/** Without what differs from run to run: the port, the folder. */
function stable(yaml: string): string {
  return yaml
    .replace(/^( {2}registry: ).*$/m, '$1registry.example')
    .replace(/^( {2}resultsDir: ).*$/m, '$1./results')
}

/** The tests and their results, without times and without the requests: the suite's own file has 2 MB. */
function formatJunit(tests: readonly ConformanceTest[]): string {
  const of = (status: string): number => tests.filter((test) => test.status === status).length
  const counts = `tests="${tests.length}" failures="${of('failure')}" errors="${of('error')}" skipped="${of('skipped')}"`
  const cases = tests.map(
    ({ name, status }) => `  <testcase name="${escape(name)}" status="${status}"/>\n`,
  )
  return `<testsuite name="OCI Conformance Test" ${counts}>\n${cases.join('')}</testsuite>\n`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
