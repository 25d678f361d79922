import { readFileSync } from 'node:fs'
import path from 'node:path'

import type { Recording } from './step.ts'

/** Where the real docker's answers are kept; `record.ts` writes it. */
export const RECORDING_FILE = path.join(import.meta.dirname, 'recorded-docker.json')

/** Reads the real docker's answers. */
export function readRecording(): Recording {
  return JSON.parse(readFileSync(RECORDING_FILE, 'utf8')) as Recording
}
