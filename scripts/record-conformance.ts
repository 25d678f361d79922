import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { formatResults, runConformance } from '../test/registry/conformance.ts'
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
  for (const [name, text] of Object.entries(formatResults(sheet))) {
    writeFileSync(path.join(folder, name), text)
  }
}
