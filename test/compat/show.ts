import { testImages } from '../peers/images.ts'
import { judgeStep } from './compare.ts'
import { createCatalog } from './fixtures.ts'
import { readRecording } from './recording.ts'
import { startSmallRegistries } from './registries.ts'
import { runKatman } from './run-katman.ts'
import { steps } from './steps.ts'

// npx node test/compat/show.ts [WORD]: runs Katman as docker and prints where it differs, for steps with WORD in
// their name. No docker is needed.
const word = process.argv[2] ?? ''
const catalog = createCatalog(testImages())
await using registries = await startSmallRegistries(catalog)
const outcomes = await runKatman(steps, catalog, registries)
const recorded = readRecording().steps
let faults = 0
for (const [index, step] of steps.entries()) {
  const docker = recorded[index]
  const katman = outcomes[index]
  if (docker === undefined || katman === undefined) throw new Error(`${step.id} is missing`)
  const { unexpected, stale } = judgeStep(step, docker, katman)
  if (unexpected.length + stale.length === 0) continue
  faults += 1
  if (!step.id.includes(word)) continue
  console.log(`\n=== ${step.id}: docker ${katman.line}`)
  for (const one of unexpected) {
    console.log(
      `--- ${one.what} of docker\n${one.docker}\n+++ ${one.what} of katman\n${one.katman}`,
    )
  }
  for (const one of stale) console.log(`accepted, but not there: ${one.what} (${one.reason})`)
}
console.log(`\n${steps.length - faults} of ${steps.length} steps are as docker has them`)
process.exitCode = faults === 0 ? 0 : 1
