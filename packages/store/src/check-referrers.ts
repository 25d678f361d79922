import path from 'node:path'
import type { Digest } from '@katman/oci'
import { quarantine } from './blobs.ts'
import { damage, readRecordFile } from './check-records.ts'
import { type CheckState, report, visit } from './check-state.ts'
import { digestOfFileName, fileName } from './layout.ts'
import { replaceFile } from './publish.ts'
import { encodeRecord } from './record-file.ts'
import type { ReferrerRecord } from './records.ts'
import { listed } from './reference-files.ts'
import { referrerRecordFor, referrerRecordOf, writeReferrer } from './referrer-files.ts'
import { mediaTypeOf } from './resolve.ts'

/** Checks every fact about referrers, and collects what the whole ones say. */
export async function checkReferrers(state: CheckState): Promise<void> {
  const { context } = state
  const { layout } = context
  for (const name of listed(context, layout.folder('referrers'))) {
    const subject = digestOfFileName(name)
    const folder = path.join(layout.folder('referrers'), name)
    if (subject === undefined || context.files.stat(folder)?.kind !== 'folder') {
      await reportStranger(state, folder)
      continue
    }
    for (const file of listed(context, folder)) {
      await checkReferrer(state, subject, path.join(folder, file), digestOfFileName(file))
    }
  }
}

/** A needed document that refers to another and of which no fact is kept. */
export async function checkRecorded(state: CheckState, record: ReferrerRecord): Promise<void> {
  const { context } = state
  const { subject, descriptor } = record
  const file = context.layout.referrer(subject, descriptor.digest)
  if (state.problems.some((known) => known.path === file)) return
  if (context.files.stat(file) !== undefined) return
  const found = { kind: 'referrer', path: file, digest: descriptor.digest } as const
  await report(state, { ...found, problem: 'is missing' }, async () => {
    await writeReferrer(context, record)
    state.referrers.push(record)
    return true
  })
}

async function checkReferrer(
  state: CheckState,
  subject: Digest,
  file: string,
  digest: Digest | undefined,
): Promise<void> {
  const { context } = state
  visit(state, file)
  if (digest === undefined) {
    await reportStranger(state, file)
    return
  }
  const read = readRecordFile(state, file)
  if (read === undefined) return
  const record = referrerRecordOf(read.value)
  const isReadable = record?.subject === subject && record.descriptor.digest === digest
  if (isReadable) state.referrers.push(record)
  if (isReadable && read.intact) return
  const found = { kind: 'referrer', path: file, digest, problem: damage(isReadable) } as const
  await report(state, found, async () => {
    const whole = isReadable ? record : recordFromContent(state, subject, digest)
    if (whole === undefined) {
      quarantine(context, file, `referrer.${fileName(digest)}`)
      return false
    }
    await replaceFile(context.files, file, encodeRecord(whole), context.lease().temporary)
    if (!isReadable) state.referrers.push(whole)
    return true
  })
}

/** What a fact said can be read in the content it is about. */
function recordFromContent(
  { context }: CheckState,
  subject: Digest,
  digest: Digest,
): ReferrerRecord | undefined {
  const size = context.files.stat(context.layout.blob(digest))?.size ?? 0
  const mediaType = mediaTypeOf(context, digest)
  const record = referrerRecordFor(context, { mediaType, digest, size })
  return record?.subject === subject ? record : undefined
}

async function reportStranger(state: CheckState, file: string): Promise<void> {
  await report(state, { kind: 'referrer', path: file, problem: 'is not named by a digest' }, () => {
    quarantine(state.context, file, 'referrer.stranger')
    return true
  })
}
