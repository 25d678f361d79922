import { type Digest, isKatmanError } from '@katman/oci'
import { Refusal } from '../refusal.ts'
import type { ImportEvent, ImportFailure, ImportResult } from './import-report.ts'

interface Imported {
  readonly digest: Digest
  readonly movedBlobs: number
  readonly movedBytes: number
}

/** Counts what an import does and tells it. */
export interface ImportTally {
  repository(name: string): void
  /** Runs one image's import; its failure is kept and the next may go on. */
  attempt(repository: string, reference: string, work: () => Promise<Imported>): Promise<void>
  result(): ImportResult
}

export function createImportTally(onEvent?: (event: ImportEvent) => void): ImportTally {
  const counts = { repositories: 0, images: 0, movedBlobs: 0, movedBytes: 0 }
  const failures: ImportFailure[] = []
  return {
    repository(repository) {
      counts.repositories++
      onEvent?.({ type: 'repository', repository })
    },
    async attempt(repository, reference, work) {
      try {
        const { digest, movedBlobs, movedBytes } = await work()
        counts.images++
        counts.movedBlobs += movedBlobs
        counts.movedBytes += movedBytes
        const tag = reference === digest ? undefined : reference
        onEvent?.({ type: 'image', repository, tag, digest, movedBlobs, movedBytes })
      } catch (error) {
        // A full disk or a lost database is no matter of one image.
        const isAboutImage = isKatmanError(error) || error instanceof Refusal
        if (!isAboutImage || fatal.has(error.code)) throw error
        const failure = { repository, reference, code: error.code, message: error.message }
        failures.push(failure)
        onEvent?.({ type: 'failed', ...failure })
      }
    },
    result: () => ({ ...counts, failures }),
  }
}

const fatal = new Set(['DATABASE_UNAVAILABLE', 'DATABASE_FAILED', 'STORE_FULL', 'STORAGE_INVALID'])
