import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createUploadHolder, type ProcessTable } from './upload-holder.ts'

describe('createUploadHolder', () => {
  const table = (place: string, started: Readonly<Record<number, string>>): ProcessTable => ({
    place,
    pid: 1,
    isRunning: (pid) => started[pid] !== undefined,
    startOf: (pid) => started[pid],
  })
  const before = createUploadHolder(table('here', { 1: '100' }))

  it.each([
    ['which still runs, is not gone', 'here', { 1: '100' }, false],
    ['which does not run any more, is gone', 'here', {}, true],
    ['whose number another process has now, is gone', 'here', { 1: '200' }, true],
    ['of another container, may be there', 'there', {}, false],
  ])('says that a process, %s', (_, place, started, isGone) => {
    const other = createUploadHolder({ ...table(place, started), pid: 2 })
    expect(other.isGone(before.name)).toBe(isGone)
  })

  it('knows the processes of this machine', async () => {
    const holder = createUploadHolder()
    expect(holder.isGone(holder.name)).toBe(false)
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    expect(holder.isGone(holder.name.replace(`/${process.pid}/`, `/${child.pid}/`))).toBe(true)
  })
})
