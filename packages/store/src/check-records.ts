import path from 'node:path'
import { type CheckState, report, visit } from './check-state.ts'
import { quarantine } from './blobs.ts'
import { errorCode } from './files.ts'
import { imageRecordOf } from './image-files.ts'
import { layoutVersion } from './layout.ts'
import { replaceFile } from './publish.ts'
import { decodeRecord, encodeRecord } from './record-file.ts'
import { listed, referenceRecordOf } from './reference-files.ts'
import { versionRecord } from './root.ts'

/** Checks the layout version; a damaged one can only be ours, because a newer one is a whole record. */
export async function checkVersion(state: CheckState): Promise<void> {
  const { context } = state
  const file = context.layout.version
  visit(state, file)
  const record = decodeRecord(context.files.readFile(file))
  const { katmanStore } = (record?.value ?? {}) as { katmanStore?: unknown }
  const isKnown = typeof katmanStore === 'number'
  if (isKnown && (record?.intact || katmanStore > layoutVersion)) return
  await report(state, { kind: 'version', path: file, problem: damage(isKnown) }, async () => {
    const before = context.readOnly
    context.readOnly = undefined
    try {
      await replaceFile(context.files, file, versionRecord(), context.lease().temporary)
      return true
    } catch (error) {
      context.readOnly = before
      throw error
    }
  })
}

/** Checks every name's file, and collects what the whole ones say. */
export async function checkReferences(state: CheckState): Promise<void> {
  const { layout } = state.context
  await checkRecordFiles(state, 'reference', layout.folder('refs'), (value, file) => {
    const record = referenceRecordOf(value)
    if (record === undefined || layout.reference(record.name) !== file) return false
    state.references.push(record)
    return true
  })
}

/** Checks every image's file, and collects what the whole ones say. */
export async function checkImages(state: CheckState): Promise<void> {
  const { layout } = state.context
  await checkRecordFiles(state, 'image', layout.folder('images'), (value, file) => {
    const record = imageRecordOf(value)
    if (record === undefined || layout.image(record.id) !== file) return false
    state.images.push(record)
    return true
  })
}

/** What a record's file lacks: nothing, one of its copies, or everything. */
export function damage(isReadable: boolean): string {
  return isReadable
    ? 'one of the two copies in the file is damaged'
    : 'is damaged and cannot be read'
}

/** Reads a record's file; undefined when the file has vanished. */
export function readRecordFile(
  state: CheckState,
  file: string,
): { readonly value: unknown; readonly intact: boolean } | undefined {
  try {
    return decodeRecord(state.context.files.readFile(file)) ?? { value: undefined, intact: false }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    if (errorCode(error) === 'EISDIR') return { value: undefined, intact: false }
    throw error
  }
}

async function checkRecordFiles(
  state: CheckState,
  kind: 'reference' | 'image',
  folder: string,
  accept: (value: unknown, file: string) => boolean,
): Promise<void> {
  const { context } = state
  for (const name of listed(context, folder)) {
    const file = path.join(folder, name)
    visit(state, file)
    const record = readRecordFile(state, file)
    if (record === undefined) continue
    const isReadable = accept(record.value, file)
    if (isReadable && record.intact) continue
    await report(state, { kind, path: file, problem: damage(isReadable) }, async () => {
      if (isReadable) {
        const { files, lease } = context
        await replaceFile(files, file, encodeRecord(record.value), lease().temporary)
      } else {
        quarantine(context, file, `${kind}.${name}`)
      }
      return isReadable
    })
  }
}
