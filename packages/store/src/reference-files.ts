import path from 'node:path'
import { isDigest } from '@katman/oci'
import type { StoreContext } from './context.ts'
import { descriptorOf } from './descriptor-record.ts'
import { errorCode, unless } from './files.ts'
import { replaceFile, syncFolder } from './publish.ts'
import { encodeRecord, readRecord } from './record-file.ts'
import type { ReferenceRecord } from './records.ts'

/** Every name that can be read; damaged ones are left to fsck. */
export function readReferences(context: StoreContext): readonly ReferenceRecord[] {
  const folder = context.layout.folder('refs')
  const records = listed(context, folder).flatMap(
    (name) => readReferenceFile(context, path.join(folder, name)) ?? [],
  )
  return records.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

/** What a name means, or undefined. */
export function readReference(context: StoreContext, name: string): ReferenceRecord | undefined {
  const record = readReferenceFile(context, context.layout.reference(name))
  return record?.name === name ? record : undefined
}

export async function writeReference(
  context: StoreContext,
  record: ReferenceRecord,
): Promise<void> {
  const { files, layout } = context
  await replaceFile(
    files,
    layout.reference(record.name),
    encodeRecord(record),
    context.lease().temporary,
  )
}

export async function deleteReference(context: StoreContext, name: string): Promise<boolean> {
  const { files, layout } = context
  const found = unless(['ENOENT'], () => files.unlink(layout.reference(name)))
  if (found) await syncFolder(files, layout.folder('refs'))
  return found
}

/** Checks what a record says. */
export function referenceRecordOf(value: unknown): ReferenceRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, target, image, updatedAt, from } = value as Record<string, unknown>
  const descriptor = descriptorOf(target)
  if (typeof name !== 'string' || descriptor === undefined) return undefined
  if (typeof image !== 'string' || !isDigest(image) || typeof updatedAt !== 'string')
    return undefined
  return {
    name,
    target: descriptor,
    image,
    updatedAt,
    ...(typeof from === 'string' ? { from } : {}),
  }
}

/** The names in a folder; none when there is no folder. */
export function listed(context: StoreContext, folder: string): readonly string[] {
  try {
    return context.files.list(folder)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

function readReferenceFile(context: StoreContext, file: string): ReferenceRecord | undefined {
  try {
    return referenceRecordOf(readRecord(context.files, file))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
