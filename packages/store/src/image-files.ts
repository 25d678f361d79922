import path from 'node:path'
import { type Digest, isDigest } from '@katman/oci'
import type { StoreContext } from './context.ts'
import { descriptorOf, platformOf } from './descriptor-record.ts'
import { errorCode, unless } from './files.ts'
import { replaceFile, syncFolder } from './publish.ts'
import { encodeRecord, readRecord } from './record-file.ts'
import type { ImageRecord, ImageSummary } from './records.ts'
import { listed } from './reference-files.ts'

/** Every image that can be read; damaged ones are left to fsck. */
export function readImages(context: StoreContext): readonly ImageRecord[] {
  const folder = context.layout.folder('images')
  return listed(context, folder)
    .toSorted()
    .flatMap((name) => readImageFile(context, path.join(folder, name)) ?? [])
}

export async function writeImage(context: StoreContext, record: ImageRecord): Promise<void> {
  const { files, layout } = context
  await replaceFile(files, layout.image(record.id), encodeRecord(record), context.lease().temporary)
}

export async function deleteImage(context: StoreContext, id: Digest): Promise<boolean> {
  const { files, layout } = context
  const found = unless(['ENOENT'], () => files.unlink(layout.image(id)))
  if (found) await syncFolder(files, layout.folder('images'))
  return found
}

/** Checks what a record says. */
export function imageRecordOf(value: unknown): ImageRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const record = value as Record<string, unknown>
  const { id, addedAt, lastTagTime, from, index } = record
  const summary = summaryOf(record['summary'])
  const manifest = descriptorOf(record['manifest'])
  const platform = platformOf(record['platform'])
  if (typeof id !== 'string' || !isDigest(id) || typeof addedAt !== 'string') return undefined
  if (manifest === undefined || platform === undefined) return undefined
  const indexDescriptor = descriptorOf(index)
  if (index !== undefined && indexDescriptor === undefined) return undefined
  return {
    id,
    manifest,
    ...(indexDescriptor === undefined ? {} : { index: indexDescriptor }),
    platform,
    addedAt,
    ...(typeof lastTagTime === 'string' ? { lastTagTime } : {}),
    ...(summary === undefined ? {} : { summary }),
    ...(isStrings(from) ? { from } : {}),
  }
}

function summaryOf(value: unknown): ImageSummary | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { created, sizeBytes } = value as Record<string, unknown>
  if (typeof sizeBytes !== 'number') return undefined
  return { ...(typeof created === 'string' ? { created } : {}), sizeBytes }
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function readImageFile(context: StoreContext, file: string): ImageRecord | undefined {
  try {
    return imageRecordOf(readRecord(context.files, file))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
