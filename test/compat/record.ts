import { writeFile } from 'node:fs/promises'

import { testImages } from '../peers/images.ts'
import { createCatalog } from './fixtures.ts'
import { RECORDING_FILE } from './recording.ts'
import { startRealRegistries } from './registries.ts'
import { runDocker } from './run-docker.ts'
import { steps } from './steps.ts'

// npx node test/compat/record.ts: writes what the real docker prints (needs root and the peers).
const catalog = createCatalog(testImages())
await using registries = await startRealRegistries(catalog, testImages())
const recording = await runDocker(steps, catalog, registries)
await writeFile(RECORDING_FILE, `${JSON.stringify(recording, undefined, 2)}\n`)
const { client, engine } = recording
console.log(`${recording.steps.length} steps, docker ${client}, engine ${engine}`)
