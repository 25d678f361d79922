import { addressAsked } from '../address.ts'
import type { Foundation, Part } from '../part.ts'
import { createHubFace } from './face.ts'
import { createPullCounter } from './pull-counter.ts'
import { recordImages } from './record-images.ts'

/** Docker Hub's face: what a repository is, what its tags hold, how often it was pulled. */
export function openHub({ database, options, now, warn }: Omit<Foundation, 'core'>): Part {
  const counter = createPullCounter(database, {
    onFailure: (error) =>
      warn(
        `pull counts wait to be written: ${error instanceof Error ? error.message : String(error)}`,
      ),
  })
  const { publicUrl } = options
  const addressOf =
    publicUrl === undefined ? addressAsked('http://localhost') : (): string => publicUrl
  return {
    listeners: [recordImages],
    faces: [createHubFace({ database, now, addressOf })],
    onPull: (pull) => counter.record(pull),
    close: () => counter.close(),
  }
}
