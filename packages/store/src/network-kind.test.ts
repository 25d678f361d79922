import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeTestFolder, openTestPlace, pullTestImage } from '../test/test-image.ts'
import { type Files, openNodeFiles, openStore, type Store } from './index.ts'
import { fuseProgram, networkKind } from './network-kind.ts'

let root: string
beforeEach(() => {
  root = path.join(makeTestFolder(), 'store')
})
afterEach(() => fs.rmSync(path.dirname(root), { recursive: true, force: true }))

const onNfs: Files = { ...openNodeFiles(), networkKind: () => 'nfs' }
const open = (files: Files, allowNetworkRoot = false): Promise<Store> =>
  openStore({ root, files, workers: 0, allowNetworkRoot })

describe('a store on a network file system', () => {
  it('is not made', async () => {
    await expect(open(onNfs)).rejects.toMatchObject({
      code: 'STORE_INVALID',
      message: `cannot use ${root} as a store: it is on a network file system (nfs)`,
    })
    expect(fs.readdirSync(root)).toEqual([])
  })

  it('is read and not written, unless that is wanted', async () => {
    const place = await openTestPlace('hello')
    {
      await using store = await open(openNodeFiles())
      await pullTestImage(store, place, 'app:latest')
    }
    {
      await using store = await open(onNfs)
      expect(await store.references()).toHaveLength(2)
      await expect(store.removeReference('x')).rejects.toMatchObject({
        code: 'STORE_READ_ONLY',
        message: expect.stringContaining('network file system (nfs)') as string,
      })
    }
    await using store = await open(onNfs, true)
    expect(await store.removeReference('x')).toBe(false)
  })
})

describe('networkKind', () => {
  it('knows the file systems of this machine', () => {
    expect(networkKind(os.tmpdir())).toBeUndefined()
  })
})

describe('fuseProgram', () => {
  const mountinfo = [
    '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '31 27 0:44 / /home rw,nosuid - fuse.sshfs me@host: rw',
    '32 31 0:45 / /home/with\\040space rw - fuse.mergerfs a:b rw',
    '',
  ].join('\n')
  it.each([
    ['/home/me/store', 'fuse.sshfs'],
    ['/home', 'fuse.sshfs'],
    ['/homework', 'ext4'],
    ['/home/with space/store', 'fuse.mergerfs'],
  ])('of %s is %s', (file, program) => {
    expect(fuseProgram(mountinfo, file)).toBe(program)
  })
})
