import { hash, randomUUID } from 'node:crypto'
import path from 'node:path'
import type { Digest } from '@katman/oci'
import { tryClaim } from './claim.ts'
import { isFileError } from './clear-errors.ts'
import type { StoreContext } from './context.ts'
import { errorCode, unless } from './files.ts'
import { ensureFolder, quietly } from './publish.ts'
import { encodeRecord, readRecord } from './record-file.ts'
import { listed } from './reference-files.ts'

/** Registries give sessions up after a week at the latest. */
const maxAgeMs = 7 * 24 * 60 * 60 * 1000
/** A registry's address with its state in it. */
const maxLocationLength = 8192

interface UploadName {
  readonly registry: string
  readonly repository: string
  readonly digest: Digest
}

/** Remembers the address of an unfinished upload, so that the next process can go on with it. */
export interface UploadLedger {
  /** The entry of an upload, for this handle alone; undefined when another works on it, or nothing can be kept. */
  take(upload: UploadName): Promise<UploadEntry | undefined>
}

interface UploadEntry {
  /** What was remembered last. Only a hint: the registry knows better. */
  readonly location: string | undefined
  remember(location: string): Promise<void>
  /** `keep` leaves the entry for the next process; otherwise it is forgotten. */
  release(options: { readonly keep: boolean }): Promise<void>
}

/**
 * Entries are folders of `uploads/`, each with a claim and a `state`. They only save traffic: nothing is flushed, and
 * where they cannot be written, uploads go on without.
 */
export function openUploadLedger(context: StoreContext): UploadLedger {
  const { files, layout } = context

  function takeEntry({ registry, repository, digest }: UploadName): UploadEntry | undefined {
    const root = layout.folder('uploads')
    const folder = path.join(root, hash('sha256', JSON.stringify([registry, repository, digest])))
    ensureFolder(files, root)
    const claim = tryClaim(context, folder)
    if (claim === undefined) return undefined
    const state = path.join(folder, 'state')
    return {
      location: readLocation(context, state),
      async remember(location) {
        if (location.length > maxLocationLength) return
        const file = path.join(context.lease().temporary, randomUUID())
        try {
          const handle = files.open(file, 'create')
          try {
            files.writeNow(handle, encodeRecord({ registry, repository, digest, location }), 0)
          } finally {
            files.close(handle)
          }
          files.rename(file, state)
        } catch (error) {
          quietly(() => files.unlink(file))
          if (!cannotKeep(error)) throw error
        }
      },
      async release(options) {
        try {
          claim.release(options)
        } catch (error) {
          if (!cannotKeep(error)) throw error
        }
      },
    }
  }

  return {
    async take(upload) {
      if (context.readOnly !== undefined) return undefined
      try {
        return takeEntry(upload)
      } catch (error) {
        if (cannotKeep(error)) return undefined
        throw error
      }
    },
  }
}

/** Removes the entries nobody went on with for a week. */
export function reapUploads(context: StoreContext): void {
  const { files, layout } = context
  const root = layout.folder('uploads')
  for (const name of listed(context, root)) {
    const folder = path.join(root, name)
    const facts = files.stat(path.join(folder, 'state')) ?? files.stat(folder)
    if (facts === undefined || context.now().getTime() - facts.modifiedAt <= maxAgeMs) continue
    tryClaim(context, folder)?.release({ keep: false })
  }
}

function readLocation(context: StoreContext, file: string): string | undefined {
  let value: unknown
  unless(['ENOENT'], () => {
    value = readRecord(context.files, file)
  })
  if (typeof value !== 'object' || value === null || !('location' in value)) return undefined
  const { location } = value
  return typeof location === 'string' && location.length <= maxLocationLength ? location : undefined
}

/** Whatever the files say: a push must not fail for what would only save it traffic. */
function cannotKeep(error: unknown): boolean {
  return isFileError(error) || errorCode(error) !== undefined
}
