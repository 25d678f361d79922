import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { findDeleted, purgeDeleted } from '../src/cleanup/deleted.ts'
import { addImmutableTags, removeImmutableTags } from '../src/cleanup/immutable-tags.ts'
import { deleteObjects, findOrphans } from '../src/cleanup/objects.ts'
import { findUsage, setQuota, checkUpload } from '../src/cleanup/quotas.ts'
import { checkCounters, recount } from '../src/cleanup/recount.ts'
import { planRetention, runRetention } from '../src/cleanup/retention.ts'
import { setRetention } from '../src/cleanup/retention-policy.ts'
import { runCleanup } from '../src/cleanup/run-cleanup.ts'
import { reviewDue } from '../src/cleanup/review.ts'
import { listDamage, scrub } from '../src/cleanup/scrub.ts'
import { openFolderObjects } from '../src/objects/folder-objects.ts'
import { openWorld, type World } from './cleanup-world.ts'
import type { OpenDatabase } from './databases.ts'
import { makeFolder } from './support.ts'

const dayMs = 86_400_000

/** Every behaviour of clean-up, on one engine. */
export function cleanupSuite(engine: string, open: OpenDatabase): void {
  describe(`reviewDue on ${engine}`, () => {
    it('takes away what a cancelled push left, after its lease, in two steps', async () => {
      await using world = await openWorld(open)
      const { digest } = await world.upload('team/app', 'left alone')
      world.wait(999)
      await collect(world)
      expect(await world.hasBlob('team/app', digest)).toBe(true)
      world.wait(1)
      await collect(world)
      expect(await world.hasBlob('team/app', digest)).toBe(false)
      expect(await world.objectSizes()).toHaveLength(1)
      world.wait(100)
      await collect(world)
      expect(await world.objectSizes()).toEqual([])
      expect(await world.database.all('SELECT digest FROM blobs')).toEqual([])
      expect(await world.database.all('SELECT digest FROM review_queue')).toEqual([])
    })

    it('lets an upload bring back what is condemned, without a second object', async () => {
      await using world = await openWorld(open)
      await world.upload('team/app', 'text')
      world.wait(1000)
      await collect(world)
      const { digest } = await world.upload('team/other', 'text')
      world.wait(100)
      await collect(world)
      expect(await world.hasBlob('team/other', digest)).toBe(true)
      expect(await world.objectSizes()).toHaveLength(1)
    })

    it('keeps what a manifest names, and lets go of it when the last one is deleted', async () => {
      await using world = await openWorld(open)
      const layer = await world.upload('team/app', 'shared')
      const first = await world.push('team/app', { tag: 'one', layers: [layer] })
      const second = await world.push('team/app', { tag: 'two', layers: [layer], note: 'other' })
      world.wait(5000)
      await collect(world)
      await world.remove('team/app', first)
      world.wait(5000)
      await collect(world)
      expect(await world.hasBlob('team/app', layer.digest)).toBe(true)
      await world.remove('team/app', second)
      await collect(world)
      expect(await world.hasBlob('team/app', layer.digest)).toBe(false)
    })

    it('takes a blob from one repository and leaves it in another', async () => {
      await using world = await openWorld(open)
      const layer = await world.upload('team/app', 'shared')
      await world.push('team/app', { tag: 'one', layers: [layer] })
      await world.upload('team/other', 'shared')
      world.wait(5000)
      await collect(world)
      expect(await world.hasBlob('team/app', layer.digest)).toBe(true)
      expect(await world.hasBlob('team/other', layer.digest)).toBe(false)
    })

    it('lets go of the blobs that an index listed, as a build cache does, when it can come back no more', async () => {
      await using world = await openWorld(open, { undeleteMs: 5000 })
      const layer = await world.upload('team/app', 'cached')
      const cache = await world.push('team/app', { tag: 'cache', manifests: [], layers: [layer] })
      world.wait(4000)
      await collect(world)
      await world.remove('team/app', cache)
      world.wait(4000)
      await collect(world)
      expect(await world.hasBlob('team/app', layer.digest)).toBe(true)
      world.wait(1000)
      await purgeDeleted(world.cleaner)
      await collect(world)
      expect(await world.hasBlob('team/app', layer.digest)).toBe(false)
    })

    it('keeps what was deleted once more just when its first time was over', async () => {
      await using world = await openWorld(open, { undeleteMs: 5000 })
      const { database } = world.cleaner
      const layer = await world.upload('team/app', 'kept')
      const image = { tag: 'one', layers: [layer] }
      const digest = await world.push('team/app', image)
      await world.remove('team/app', digest)
      world.wait(5000)
      const all = database.all.bind(database)
      vi.spyOn(database, 'all').mockImplementationOnce(async (...question) => {
        const rows = await all(...question)
        await world.push('team/app', image)
        await world.remove('team/app', digest)
        return rows
      })
      await purgeDeleted(world.cleaner)
      await collect(world)
      expect(await world.hasBlob('team/app', layer.digest)).toBe(true)
      expect(
        await findDeleted(database, { repository: 'team/app', digest, now: world.now() }),
      ).toBeDefined()
    })

    it('leaves untagged manifests alone unless they may go', async () => {
      await using world = await openWorld(open)
      const digest = await world.push('team/app', {})
      world.wait(365 * dayMs)
      await collect(world)
      expect(await world.hasManifest('team/app', digest)).toBe(true)
    })

    it('takes untagged manifests after their time, never one that an index names', async () => {
      await using world = await openWorld(open, { untaggedMs: 50 })
      const child = await world.push('team/app', { note: 'child' })
      const index = await world.push('team/app', { tag: 'all', manifests: [child] })
      const old = await world.push('team/app', { tag: 'moved', note: 'old' })
      await world.push('team/app', { tag: 'moved', note: 'new' })
      world.wait(49)
      await collect(world)
      expect(await world.hasManifest('team/app', old)).toBe(true)
      world.wait(5000)
      await collect(world)
      expect(await world.hasManifest('team/app', old)).toBe(false)
      expect(await world.hasManifest('team/app', child)).toBe(true)
      await world.untag('team/app', 'all')
      world.wait(50)
      await collect(world)
      expect(await world.hasManifest('team/app', index)).toBe(false)
      expect(await world.hasManifest('team/app', child)).toBe(false)
    })

    it('gives an image that is pushed again its whole time until an index names it', async () => {
      await using world = await openWorld(open, { untaggedMs: 50 })
      const child = await world.push('team/app', { note: 'child' })
      world.wait(49)
      await world.push('team/app', { note: 'child' })
      world.wait(49)
      await collect(world)
      expect(await world.hasManifest('team/app', child)).toBe(true)
      world.wait(1)
      await collect(world)
      expect(await world.hasManifest('team/app', child)).toBe(false)
    })

    it('keeps signatures as long as what they sign', async () => {
      await using world = await openWorld(open, { untaggedMs: 50 })
      const image = await world.push('team/app', { tag: 'one' })
      const signature = await world.push('team/app', { subject: image, note: 'signature' })
      const ofSignature = await world.push('team/app', { subject: signature, note: 'more' })
      world.wait(5000)
      await collect(world)
      expect(await world.hasManifest('team/app', ofSignature)).toBe(true)
      await world.remove('team/app', image)
      world.wait(5000)
      await collect(world)
      expect(await world.hasManifest('team/app', signature)).toBe(false)
      expect(await world.hasManifest('team/app', ofSignature)).toBe(false)
    })

    it('keeps signatures of what is gone where it is told so', async () => {
      await using world = await openWorld(open, { untaggedMs: 50, areReferrersRemoved: false })
      const image = await world.push('team/app', { tag: 'one' })
      const signature = await world.push('team/app', { subject: image })
      await world.remove('team/app', image)
      world.wait(5000)
      await collect(world)
      expect(await world.hasManifest('team/app', signature)).toBe(true)
    })

    it('decides once what many workers take at the same time', async () => {
      await using world = await openWorld(open)
      for (let at = 0; at < 300; at += 1) await world.upload('team/app', `blob ${at}`)
      world.wait(1000)
      const counts = await Promise.all([1, 2, 3].map(() => reviewDue(world.cleaner)))
      expect(counts.reduce((sum, { links }) => sum + links, 0)).toBe(300)
      world.wait(100)
      await Promise.all([1, 2, 3].map(() => collect(world)))
      expect(await world.objectSizes()).toEqual([])
      expect(await checkCounters(world.database)).toEqual([])
    })

    it('puts off what cannot be decided and goes on with the rest', async () => {
      await using world = await openWorld(open)
      const broken = await world.upload('team/app', 'broken')
      const other = await world.upload('team/app', 'other')
      world.wait(1000)
      const cleaner: World['cleaner'] = {
        ...world.cleaner,
        async tell(transaction, change) {
          if ('digest' in change && change.digest === broken.digest) throw new Error('no')
          await world.cleaner.tell(transaction, change)
        },
      }
      expect(await reviewDue(cleaner)).toMatchObject({ failed: 1, links: 1 })
      expect(await world.hasBlob('team/app', broken.digest)).toBe(true)
      expect(await world.hasBlob('team/app', other.digest)).toBe(false)
      // Later it is tried again.
      world.wait(5000)
      expect(await reviewDue(world.cleaner)).toMatchObject({ failed: 0, links: 1 })
    })

    it('leaves an object for a while to who was just about to read it', async () => {
      await using world = await openWorld(open, { readMs: 5000 })
      await world.upload('team/app', 'left alone')
      world.wait(1000)
      await collect(world)
      world.wait(100)
      await collect(world)
      expect(await world.database.all('SELECT digest FROM blobs')).toEqual([])
      world.wait(4999)
      await collect(world)
      expect(await world.objectSizes()).toHaveLength(1)
      world.wait(1)
      await collect(world)
      expect(await world.objectSizes()).toEqual([])
    })

    it('goes on when an upload cannot be given up, and tries it again later', async () => {
      await using world = await openWorld(open, { uploadsMs: 1000 })
      const { database, objects } = world.cleaner
      for (const key of ['abc', 'def']) {
        await database.run(
          `INSERT INTO uploads (id, repository, size, state, epoch, busy_until, started_at, updated_at)
           VALUES (?, 'team/app', 0, ?, 1, 0, 0, 0)`,
          [key, JSON.stringify(await objects.begin(key))],
        )
      }
      const warnings: string[] = []
      let isBroken = true
      const cleaner: World['cleaner'] = {
        ...world.cleaner,
        warn: (line) => warnings.push(line),
        objects: {
          ...objects,
          async abort(upload) {
            if (isBroken && upload.key === 'abc') throw new Error('not today')
            await objects.abort(upload)
          },
        },
      }
      await world.upload('team/app', 'left alone')
      world.wait(1000)
      expect(await runCleanup(cleaner)).toMatchObject({ uploads: 1, links: 1 })
      expect(warnings).toEqual([expect.stringMatching(/^the upload abc .*: not today$/)])
      isBroken = false
      world.wait(3_600_000)
      expect(await runCleanup(cleaner)).toMatchObject({ uploads: 0 })
      world.wait(1)
      expect(await runCleanup(cleaner)).toMatchObject({ uploads: 1 })
      expect(warnings).toHaveLength(1)
    })

    it('deletes old objects that no row knows', async () => {
      await using world = await openWorld(open, { orphanMs: -Date.now() * 2 })
      await world.upload('team/app', 'known')
      const { objects } = world.cleaner
      await objects.finish(await objects.begin('abc'))
      expect(await findOrphans(world.cleaner)).toBe(1)
      expect(await deleteObjects(world.cleaner)).toBe(1)
      expect(await world.objectSizes()).toEqual([5])
      // A young one may be an upload that is just being finished.
      await objects.finish(await objects.begin('abcd'))
      const young = { ...world.cleaner, options: { ...world.cleaner.options, orphanMs: dayMs } }
      expect(await findOrphans(young)).toBe(0)
    })

    it('deletes no object that was on its way to its row when it was looked for', async () => {
      await using world = await openWorld(open)
      await world.upload('team/app', 'on its way')
      await world.database.run(`INSERT INTO object_deletions (object_key, queued_at)
        SELECT object_key, 0 FROM blobs`)
      expect(await deleteObjects(world.cleaner)).toBe(0)
      expect(await world.objectSizes()).toEqual([10])
      expect(await world.database.all('SELECT object_key FROM object_deletions')).toEqual([])
    })

    it('gives up what was begun long ago and no upload names', async () => {
      await using world = await openWorld(open)
      const root = await makeFolder()
      try {
        const objects = await openFolderObjects(root)
        const upload = await objects.begin('abc')
        await objects.begin('abcd')
        await world.database.run(
          `INSERT INTO uploads (id, repository, size, state, epoch, busy_until, started_at, updated_at)
           VALUES ('1', 'team/app', 0, ?, 1, 0, 0, 0)`,
          [JSON.stringify(upload)],
        )
        const cleaner = { ...world.cleaner, objects, now: Date.now }
        expect(await findOrphans(cleaner)).toBe(0)
        const now = (): number => Date.now() + 8 * dayMs
        expect(await findOrphans({ ...cleaner, now })).toBe(1)
        expect(await readdir(path.join(root, 'incoming'))).toEqual(['abc'])
      } finally {
        await rm(root, { recursive: true })
      }
    })

    it('deletes no object of an upload that is about to become a blob', async () => {
      await using world = await openWorld(open, { orphanMs: -Date.now() * 2 })
      await world.upload('team/app', 'known')
      const { objects } = world.cleaner
      const upload = await objects.begin('abc')
      await objects.finish(upload)
      await world.database.run(
        `INSERT INTO uploads (id, repository, size, state, epoch, busy_until, started_at, updated_at)
         VALUES ('1', 'team/app', 0, ?, 1, 0, 0, 0)`,
        [JSON.stringify(upload)],
      )
      expect(await findOrphans(world.cleaner)).toBe(0)
      await world.database.run('DELETE FROM uploads')
      expect(await findOrphans(world.cleaner)).toBe(1)
    })
  })

  describe(`immutable tags on ${engine}`, () => {
    it('do not move and are not deleted; the same image may be pushed again', async () => {
      await using world = await openWorld(open)
      await addImmutableTags(world.database, { repositories: 'team/*', tags: 'v*' })
      const digest = await world.push('team/app', { tag: 'v1', note: 'one' })
      expect(await world.push('team/app', { tag: 'v1', note: 'one' })).toBe(digest)
      const denied = {
        status: 403,
        code: 'DENIED',
        message: 'the tag v1 of team/app is immutable: it cannot be moved',
      }
      await expect(world.push('team/app', { tag: 'v1', note: 'two' })).rejects.toMatchObject(denied)
      await expect(world.untag('team/app', 'v1')).rejects.toMatchObject({ status: 403 })
      await expect(world.remove('team/app', digest)).rejects.toMatchObject({ status: 403 })
      expect(await world.tag('team/app', 'v1')).toBe(digest)
      await world.push('team/app', { tag: 'latest', note: 'one' })
      await world.push('team/app', { tag: 'latest', note: 'two' })
      await removeImmutableTags(world.database, { repositories: 'team/*', tags: 'v*' })
      await world.untag('team/app', 'v1')
    })
  })

  describe(`quotas on ${engine}`, () => {
    it('count content once a namespace, and less again when it goes', async () => {
      await using world = await openWorld(open)
      const layer = await world.upload('team/app', '0123456789')
      await world.upload('team/other', '0123456789')
      await world.upload('solo', '0123456789')
      expect(await findUsage(world.database, 'team')).toMatchObject({ bytes: 10 })
      expect(await findUsage(world.database, 'library')).toMatchObject({ bytes: 10 })
      await world.unlink('team/app', layer.digest)
      expect(await findUsage(world.database, 'team')).toMatchObject({ bytes: 10 })
      await world.unlink('team/other', layer.digest)
      expect(await findUsage(world.database, 'team')).toMatchObject({ bytes: 0 })
      expect(await checkCounters(world.database)).toEqual([])
    })

    it('refuse what would be too much, in words that docker prints', async () => {
      await using world = await openWorld(open)
      await setQuota(world.database, 'team', 15)
      const layer = await world.upload('team/app', '0123456789')
      await expect(world.upload('team/app', 'abcdefghij')).rejects.toMatchObject({
        status: 403,
        code: 'DENIED',
        message: 'the quota of team is 15 B: this push would make it 20 B',
      })
      // What is there already costs nothing.
      await world.upload('team/other', '0123456789')
      await expect(checkUpload(world.database, 'team', 6)).rejects.toMatchObject({ status: 403 })
      await checkUpload(world.database, 'team', 5)
      await checkUpload(world.database, 'other', 1e9)
      await expect(world.push('team/app', { layers: [layer] })).rejects.toMatchObject({
        status: 403,
      })
      await setQuota(world.database, 'team', null)
      await world.upload('team/app', 'abcdefghij')
      expect(await checkCounters(world.database)).toEqual([])
    })

    it('hold for many pushes at once', async () => {
      await using world = await openWorld(open)
      await setQuota(world.database, 'team', 100)
      const pushes = Array.from({ length: 30 }, (_, at) =>
        world.upload(`team/app${at % 3}`, `blob ${String(at).padStart(5, '0')}`),
      )
      const results = await Promise.allSettled(pushes)
      // Ten bytes each.
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
      expect((await findUsage(world.database, 'team')).bytes).toBeLessThanOrEqual(100)
      expect(await checkCounters(world.database)).toEqual([])
    })

    it('are put right by a recount', async () => {
      await using world = await openWorld(open)
      await world.upload('team/app', '0123456789')
      await world.push('team/app', { tag: 'one' })
      const right = await findUsage(world.database, 'team')
      await world.database.run('UPDATE namespace_content SET holders = 5 WHERE size = 10')
      await world.database.run('DELETE FROM namespace_content WHERE size <> 10')
      await world.database.run('UPDATE namespace_usage SET bytes = 7')
      await world.database.run("INSERT INTO namespace_content VALUES ('ghost', 'x', 3, 1)")
      expect(await checkCounters(world.database)).not.toEqual([])
      expect(await recount(world.database)).toBe(4)
      expect(await checkCounters(world.database)).toEqual([])
      expect(await findUsage(world.database, 'team')).toEqual(right)
    })
  })

  describe(`a recount on ${engine}`, () => {
    it('comes page by page to the same end, and stops when it is told to', async () => {
      await using world = await openWorld(open)
      const { database } = world
      for (const namespace of ['one', 'two'])
        for (const text of ['a', 'b', 'c', 'd', 'e']) await world.upload(`${namespace}/app`, text)
      await database.run("DELETE FROM namespace_content WHERE namespace = 'one'")
      await database.run("UPDATE namespace_content SET holders = 3 WHERE namespace = 'two'")
      await database.run("INSERT INTO namespace_content VALUES ('two', 'x', 3, 1)")
      const signal = AbortSignal.abort()
      await expect(recount(database, { signal, pageSize: 2 })).rejects.toThrow('aborted')
      const found = await checkCounters(database, { pageSize: 2 })
      expect(found).toHaveLength(13)
      expect(found.filter(({ digest }) => digest === null)).toEqual([
        { namespace: 'one', digest: null, missing: -5, size: 0 },
        { namespace: 'two', digest: null, missing: 3, size: 0 },
      ])
      expect(await recount(database, { pageSize: 2 })).toBe(11)
      expect(await checkCounters(database)).toEqual([])
      expect(await findUsage(database, 'one')).toMatchObject({ bytes: 5 })
    })
  })

  describe(`retention on ${engine}`, () => {
    it('lists what would go and why, then takes just that', async () => {
      await using world = await openWorld(open)
      const digests = new Map<string, string>()
      for (const tag of ['v1', 'v2', 'v3', 'keep-me', 'latest']) {
        digests.set(tag, await world.push('team/app', { tag, note: tag }))
        world.wait(dayMs)
      }
      await world.push('other/app', { tag: 'old' })
      world.wait(10 * dayMs)
      await setRetention(world.database, {
        repositories: 'team/*',
        tags: '*',
        keep: [{ newest: 2 }, { pulledWithinDays: 1 }, { named: 'keep-*' }],
      })
      await world.database.run('INSERT INTO pulls VALUES (1, ?, 1, ?)', ['v1', world.now() - 1000])
      const plan = await planOf(world)
      expect(plan).toEqual([
        { tag: 'latest', isKept: true, why: 'is among the newest 2' },
        { tag: 'keep-me', isKept: true, why: 'is among the newest 2' },
        { tag: 'v3', isKept: false, why: 'number 3 by age, pushed 13 days ago, never pulled' },
        { tag: 'v2', isKept: false, why: 'number 4 by age, pushed 14 days ago, never pulled' },
        { tag: 'v1', isKept: true, why: 'was pulled in the last 1 days' },
      ])
      expect(await world.tag('team/app', 'v2')).toBeDefined()
      expect(await runRetention(world.cleaner)).toBe(2)
      expect(await world.tag('team/app', 'v2')).toBeUndefined()
      expect(await world.tag('team/app', 'v1')).toBeDefined()
      expect(await world.tag('other/app', 'old')).toBeDefined()
      // What stands for nothing else goes with its tag.
      const rows = await world.database.all('SELECT digest FROM manifests WHERE repository_id = 1')
      expect(rows).toHaveLength(3)
      expect(await runRetention(world.cleaner)).toBe(0)
    })

    it('keeps immutable tags, tags that one of two policies keeps, and what another tag needs', async () => {
      await using world = await openWorld(open)
      const digest = await world.push('team/app', { tag: 'a', note: 'same' })
      await world.push('team/app', { tag: 'v1', note: 'same' })
      await world.push('team/app', { tag: 'b', note: 'other' })
      await addImmutableTags(world.database, { repositories: '**', tags: 'v*' })
      const keep = [{ named: 'none' }]
      await setRetention(world.database, { repositories: 'team/*', tags: '*', keep })
      await setRetention(world.database, { repositories: '**', tags: 'b', keep: [{ newest: 1 }] })
      expect((await planOf(world)).filter(({ isKept }) => !isKept)).toMatchObject([{ tag: 'a' }])
      expect(await runRetention(world.cleaner)).toBe(1)
      expect(await world.hasManifest('team/app', digest)).toBe(true)
    })

    it('leaves signature tags to what they belong to', async () => {
      await using world = await openWorld(open)
      const digest = await world.push('team/app', { tag: 'a' })
      const tag = `${digest.replace(':', '-')}.sig`
      await world.push('team/app', { tag, note: 'signature' })
      await setRetention(world.database, { repositories: '**', tags: '*', keep: [{ newest: 1 }] })
      expect(await planOf(world)).toMatchObject([{ tag: 'a', isKept: true }])
    })
  })

  describe(`scrub on ${engine}`, () => {
    const pause = async (): Promise<void> => undefined

    it('quarantines what is damaged or gone, and an upload puts it right', async () => {
      await using world = await openWorld(open)
      const good = await world.upload('team/app', 'good')
      const { objects } = world.cleaner
      const { upload } = await objects.append(await objects.begin('abc'), Readable.from(['BAD']))
      await objects.finish(upload)
      const bad = await world.upload('team/app', 'bad')
      const gone = await world.upload('team/app', 'gone')
      await world.database.run("UPDATE blobs SET object_key = 'abc' WHERE digest = ?", [bad.digest])
      await world.database.run("UPDATE blobs SET object_key = 'nowhere' WHERE digest = ?", [
        gone.digest,
      ])
      const damage: unknown[] = []
      const count = await scrub(world.cleaner, { pause, onDamage: (one) => damage.push(one) })
      expect(count).toEqual({ blobs: 3, bytes: 11, damaged: 2, isWhole: true })
      expect(damage).toHaveLength(2)
      expect(await world.hasBlob('team/app', bad.digest)).toBe(false)
      expect(await world.hasBlob('team/app', good.digest)).toBe(true)
      expect((await listDamage(world.database, 10)).map(({ digest }) => digest).toSorted()).toEqual(
        [bad.digest, gone.digest].toSorted(),
      )
      await world.upload('team/app', 'bad')
      await world.upload('team/other', 'gone')
      expect(await world.hasBlob('team/app', bad.digest)).toBe(true)
      expect(await world.hasBlob('team/app', gone.digest)).toBe(true)
      expect(await listDamage(world.database, 10)).toEqual([])
      expect(await scrub(world.cleaner, { pause })).toMatchObject({ damaged: 0 })
    })

    it('quarantines what the disk cannot read', async () => {
      await using world = await openWorld(open)
      await world.upload('team/app', 'bad')
      await world.upload('team/app', 'good')
      const failure = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })
      const cleaner = unreadable(world, 3, failure)
      expect(await scrub(cleaner, { pause })).toMatchObject({ blobs: 2, damaged: 1 })
      expect(await listDamage(world.database, 10)).toMatchObject([{ reason: failure.message }])
    })

    it('tries what cannot be read just now again, and then goes on behind it', async () => {
      await using world = await openWorld(open)
      await world.upload('team/app', 'bad')
      await world.upload('team/app', 'good')
      const cleaner = unreadable(world, 3, new Error('not today'))
      await expect(scrub(cleaner, { pause })).rejects.toThrow('not today')
      await expect(scrub(cleaner, { pause })).rejects.toThrow('not today')
      expect(await scrub(cleaner, { pause })).toMatchObject({ damaged: 0, isWhole: true })
      expect(await listDamage(world.database, 10)).toEqual([])
    })

    it('reads no faster than it may and goes on where it ended', async () => {
      await using world = await openWorld(open)
      for (const text of ['a', 'b', 'c']) await world.upload('team/app', text.repeat(1000))
      const waits: number[] = []
      const options = {
        bytesPerSecond: 1000,
        maxBytes: 2000,
        async pause(ms: number): Promise<void> {
          waits.push(ms)
        },
      }
      expect(await scrub(world.cleaner, options)).toMatchObject({ blobs: 2, isWhole: false })
      expect(await scrub(world.cleaner, options)).toMatchObject({ blobs: 1, isWhole: true })
      expect(waits).toEqual([1000, 1000, 1000])
    })
  })
}

/** Fails for what has `size` bytes. */
function unreadable({ cleaner }: World, size: number, failure: Error): World['cleaner'] {
  const { objects } = cleaner
  const open: typeof objects.open = (key, range) => {
    if (range.end === size) throw failure
    return objects.open(key, range)
  }
  return { ...cleaner, objects: { ...objects, open } }
}

async function planOf(
  world: World,
): Promise<readonly { readonly tag: string; readonly isKept: boolean; readonly why: string }[]> {
  const verdicts = []
  for await (const plan of planRetention(world.cleaner)) verdicts.push(...plan.verdicts)
  return verdicts.map(({ tag, isKept, why }) => ({ tag, isKept, why }))
}

async function collect({ cleaner }: World): Promise<void> {
  await reviewDue(cleaner)
  await deleteObjects(cleaner)
}
