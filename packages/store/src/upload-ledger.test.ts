import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseDigest } from '@katman/oci'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Locks, openFaultFiles } from '../test/fault-files.ts'
import { openStore } from './open-store.ts'

const digest = parseDigest(`sha256:${'7'.repeat(64)}`)
const upload = { registry: 'registry.example', repository: 'team/app', digest }
const location = 'https://registry.example/v2/team/app/blobs/uploads/1?_state=x%2B'
const day = 24 * 3600_000

let root: string

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'katman-ledger-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

describe('the uploads of a store', () => {
  it('are remembered for the next one that opens it, until they are done', async () => {
    {
      await using store = await openStore({ root })
      const entry = await store.uploads.take(upload)
      expect(entry?.location).toBeUndefined()
      await entry?.remember('https://registry.example/older')
      await entry?.remember(location)
      await entry?.release({ keep: true })
    }
    await using store = await openStore({ root })
    const other = await store.uploads.take({ ...upload, repository: 'team/other' })
    expect(other?.location).toBeUndefined()
    const entry = await store.uploads.take(upload)
    expect(entry?.location).toBe(location)
    await entry?.release({ keep: false })
    expect((await store.uploads.take(upload))?.location).toBeUndefined()
  })

  it('have one owner at a time', async () => {
    await using first = await openStore({ root })
    await using second = await openStore({ root })
    const entry = await first.uploads.take(upload)
    await entry?.remember(location)
    expect(await second.uploads.take(upload)).toBeUndefined()
    await entry?.release({ keep: true })
    expect((await second.uploads.take(upload))?.location).toBe(location)
  })

  it.each(['ENOSPC', 'EIO'] as const)(
    'cost nobody an upload: %s at whatever call',
    async (kind) => {
      let failed = 0
      for (let at = 1; ; at++) {
        const files = openFaultFiles(new Map(), { kind, at })
        const store = await openStore({ root, files }).catch(() => undefined)
        if (store === undefined) continue
        const isOpen = !files.hasFailed()
        const entry = await store.uploads.take(upload)
        await entry?.remember(location)
        await entry?.release({ keep: false })
        if (isOpen && files.hasFailed()) failed++
        await Promise.allSettled([store[Symbol.asyncDispose]()])
        files.die()
        if (!files.hasFailed()) break
      }
      expect(failed).toBeGreaterThan(10)
    },
  )

  it('can be taken again after a crash, at whatever call', async () => {
    let crashes = 0
    let remembered = 0
    for (let at = 1; ; at++) {
      const locks: Locks = new Map()
      const files = openFaultFiles(locks, { kind: 'crash', at })
      const repository = `crash-${at}`
      const store = await openStore({ root, files }).catch(() => undefined)
      const entry = await store?.uploads.take({ ...upload, repository }).catch(() => undefined)
      await entry?.remember(location).catch(() => {})
      await entry?.release({ keep: true }).catch(() => {})
      const hasCrashed = files.hasFailed()
      files.die()
      if (store !== undefined && hasCrashed) crashes++

      await using next = await openStore({ root, files: openFaultFiles(locks) })
      const again = await next.uploads.take({ ...upload, repository })
      expect(again).toBeDefined()
      expect([undefined, location]).toContain(again?.location)
      if (again?.location === location) remembered++
      await again?.release({ keep: false })
      expect((await next.check()).problems).toEqual([])
      if (!hasCrashed) break
    }
    expect(crashes).toBeGreaterThan(10)
    expect(remembered).toBeGreaterThan(1)
  })

  it('are collected after a week, unless somebody works on them', async () => {
    let now = new Date()
    await using store = await openStore({ root, now: () => now })
    for (const keep of ['left', 'held']) {
      const entry = await store.uploads.take({ ...upload, repository: keep })
      await entry?.remember(location)
      if (keep === 'left') await entry?.release({ keep: true })
    }
    await using other = await openStore({ root, now: () => now })
    now = new Date(now.getTime() + 6 * day)
    await other.collectGarbage()
    expect(readdirSync(path.join(root, 'uploads'))).toHaveLength(2)
    now = new Date(now.getTime() + 2 * day)
    await other.collectGarbage()
    expect(readdirSync(path.join(root, 'uploads'))).toHaveLength(1)
    expect((await other.check({ level: 'hash' })).problems).toEqual([])
  })
})
