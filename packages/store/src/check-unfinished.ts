import path from 'node:path'
import { type CheckState, report, visit } from './check-state.ts'
import { damage, readRecordFile } from './check-records.ts'
import { isClaimed, tryClaim } from './claim.ts'
import { descriptorOf } from './descriptor-record.ts'
import { errorCode, unless } from './files.ts'
import { ifDead, parseLease } from './lease.ts'
import { removeTree } from './publish.ts'
import { listed } from './reference-files.ts'

/** Checks downloads that nobody works on; a damaged one is dropped, because it can be fetched again. */
export async function checkIngests(state: CheckState): Promise<void> {
  const { context } = state
  const { files, layout } = context
  for (const name of listed(context, layout.folder('ingest'))) {
    const folder = path.join(layout.folder('ingest'), name)
    const file = path.join(folder, 'state')
    if (files.stat(file) === undefined) continue
    visit(state, file)
    const record = readRecordFile(state, file)
    if (record === undefined) continue
    const expected = descriptorOf(record.value)
    const size = files.stat(path.join(folder, 'data'))?.size ?? 0
    const isTooLong = expected !== undefined && size > expected.size
    if ((expected !== undefined && record.intact && !isTooLong) || isClaimed(context, folder))
      continue
    const problem = isTooLong
      ? 'more bytes were received than there are'
      : damage(expected !== undefined)
    await report(state, { kind: 'ingest', path: file, problem }, () => {
      const claim = tryClaim(context, folder)
      claim?.release({ keep: false })
      return claim !== undefined
    })
  }
}

/** Checks the leases. A damaged one of a live process can only be waited for. */
export async function checkLeases(state: CheckState): Promise<void> {
  const { context } = state
  const { files, layout } = context
  for (const id of listed(context, layout.folder('leases'))) {
    const file = layout.lease(id)
    visit(state, file)
    try {
      if (parseLease(files.readFile(file)).intact) continue
    } catch (error) {
      if (errorCode(error) === 'ENOENT') continue
      throw error
    }
    const problem = 'has a damaged line'
    await report(state, { kind: 'lease', path: file, problem }, () =>
      ifDead(files, file, () => {
        removeTree(files, layout.temporary(id))
        unless(['ENOENT'], () => files.unlink(file))
      }),
    )
  }
}
