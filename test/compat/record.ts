import { writeFile } from 'node:fs/promises'

import { testImages } from '../peers/images.ts'
import { createCatalog } from './fixtures.ts'
import { readRecording, RECORDING_FILE } from './recording.ts'
import { startRealRegistries } from './registries.ts'
import { runDocker } from './run-docker.ts'
import { steps } from './steps.ts'

// npx node test/compat/record.ts [WORD]: writes what the real docker prints (needs root and the peers). With WORD,
// only the steps that run `docker WORD` are recorded anew, for commands that need nothing of the steps before them.
const word = process.argv[2]
const chosen = steps.filter((step) => word === undefined || step.line.split(' ')[0] === word)
const catalog = createCatalog(testImages())
await using registries = await startRealRegistries(catalog, testImages())
const recorded = await runDocker(chosen, catalog, registries)
const older = word === undefined ? [] : readRecording().steps
const known = new Map([...older, ...recorded.steps].map((one) => [one.id, one]))
const recording = {
  ...recorded,
  steps: steps.flatMap((step) => known.get(step.id) ?? []),
}
await writeFile(RECORDING_FILE, `${JSON.stringify(recording, undefined, 2)}\n`)
const { client, engine } = recording
console.log(`${chosen.length} steps, docker ${client}, engine ${engine}`)
