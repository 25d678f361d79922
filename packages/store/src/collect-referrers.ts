import path from 'node:path'
import type { Digest } from '@katman/oci'
import type { StoreContext } from './context.ts'
import { errorCode, unless } from './files.ts'
import type { Marks } from './mark.ts'
import { ensureFolder, syncFolder } from './publish.ts'
import { readRecordValue } from './record-file.ts'
import type { ReferrerRecord } from './records.ts'
import { listed } from './reference-files.ts'
import { referrerFiles, referrerRecordOf, trashedReferrerFiles } from './referrer-files.ts'

/** Whether something that is kept needs a fact: what it is about, or the referrer itself. */
function isNeeded({ subject, descriptor }: ReferrerRecord, { blobs }: Marks): boolean {
  return blobs.has(subject) || blobs.has(descriptor.digest)
}

/** Moves the facts away that nothing needs, with content that goes or has gone. */
export function trashReferrers(
  context: StoreContext,
  needed: Marks,
  going: ReadonlySet<Digest>,
): void {
  const { files, layout } = context
  for (const file of referrerFiles(context)) {
    const record = readFact(context, file)
    if (record === undefined || isNeeded(record, needed)) continue
    const { subject, descriptor } = record
    const isHere = files.stat(layout.blob(descriptor.digest)) !== undefined
    if (isHere && !going.has(descriptor.digest)) continue
    unless(['ENOENT'], () => {
      files.rename(file, layout.trashedReferrer(subject, descriptor.digest))
    })
  }
}

/** Decides about every fact in the trash: back to its place, or gone. Comes before the content it leads to goes. */
export async function settleReferrers(context: StoreContext, needed: Marks): Promise<void> {
  const { files, layout } = context
  for (const file of trashedReferrerFiles(context)) {
    const record = readFact(context, file)
    if (record !== undefined && isNeeded(record, needed)) {
      await takeBackReferrer(context, file, record)
      continue
    }
    unless(['ENOENT'], () => files.unlink(file))
  }
  removeEmptyFolders(context)
  await syncFolder(files, layout.folder('trash'))
}

/** Brings every fact back from the trash. */
export async function takeBackReferrers(context: StoreContext): Promise<void> {
  for (const file of trashedReferrerFiles(context)) {
    const record = readFact(context, file)
    if (record !== undefined) await takeBackReferrer(context, file, record)
  }
}

/** Removes the folders of subjects that nothing refers to any more. */
function removeEmptyFolders(context: StoreContext): void {
  const { files, layout } = context
  for (const name of listed(context, layout.folder('referrers'))) {
    const folder = path.join(layout.folder('referrers'), name)
    if (listed(context, folder).length > 0) continue
    unless(['ENOENT', 'ENOTEMPTY', 'EEXIST'], () => files.rmdir(folder))
  }
}

async function takeBackReferrer(
  context: StoreContext,
  file: string,
  { subject, descriptor }: ReferrerRecord,
): Promise<void> {
  const { files, layout } = context
  ensureFolder(files, layout.referrers(subject))
  await syncFolder(files, layout.folder('referrers'))
  const place = layout.referrer(subject, descriptor.digest)
  // A writer may have put the fact there meanwhile, with newer tags.
  unless(['ENOENT'], () =>
    files.stat(place) === undefined ? files.rename(file, place) : files.unlink(file),
  )
  await syncFolder(files, path.dirname(place))
}

function readFact(context: StoreContext, file: string): ReferrerRecord | undefined {
  try {
    return referrerRecordOf(readRecordValue(context.files.readFile(file)))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
