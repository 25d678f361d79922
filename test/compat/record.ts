import { writeFile } from 'node:fs/promises'
import path from 'node:path'

import { testImages } from '../peers/images.ts'
import { runDocker } from './run-docker.ts'
import { steps } from './steps.ts'

// node test/compat/record.ts: writes what the real docker prints (needs root and the peers).
const recording = await runDocker(steps, testImages())
const file = path.join(import.meta.dirname, 'recorded-docker.json')
await writeFile(file, `${JSON.stringify(recording, undefined, 2)}\n`)
console.log(
  `${recording.steps.length} steps, docker ${recording.client}, engine ${recording.engine}`,
)
