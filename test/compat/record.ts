import { writeFile } from 'node:fs/promises'

import { testImages } from '../peers/images.ts'
import { RECORDING_FILE } from './recording.ts'
import { runDocker } from './run-docker.ts'
import { steps } from './steps.ts'

// npx node test/compat/record.ts: writes what the real docker prints (needs root and the peers).
const recording = await runDocker(steps, testImages())
await writeFile(RECORDING_FILE, `${JSON.stringify(recording, undefined, 2)}\n`)
const { client, engine } = recording
console.log(`${recording.steps.length} steps, docker ${client}, engine ${engine}`)
