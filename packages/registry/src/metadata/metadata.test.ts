import { createHash } from 'node:crypto'
import { type Digest, parseDigest } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import type { Database } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { openSqlite } from '../database/sqlite.ts'
import {
  addBlobContent,
  claimBlobs,
  extendLease,
  findBlob,
  linkBlob,
  openBlob,
  repositoriesWithBlob,
  unlinkBlob,
} from './blobs.ts'
import {
  addManifest,
  findManifest,
  findManifestByTag,
  listReferrerDescriptors,
  removeManifest,
} from './manifests.ts'
import { ensureRepository, findRepository, listRepositoryNames } from './repositories.ts'
import { enqueueReview } from './reviews.ts'
import { deleteTag, findTag, listTagNames, setTag, tagsOf } from './tags.ts'
import {
  addUpload,
  claimUpload,
  findUpload,
  listStaleUploads,
  removeUpload,
  renewUpload,
  saveUpload,
} from './uploads.ts'

const [one, two] = [digestOf('one'), digestOf('two')]

describe('repositories', () => {
  it('are made once and listed by their names, a page at a time', async () => {
    await using database = await openDatabase()
    for (const name of ['team/b', 'a', 'team/b']) {
      await database.transaction((transaction) => ensureRepository(transaction, name, 1))
    }
    expect(await findRepository(database, 'a')).toMatchObject({ namespace: 'library' })
    expect(await findRepository(database, 'team/b')).toMatchObject({ namespace: 'team' })
    expect(await listRepositoryNames(database, { last: '', limit: 1 })).toEqual(['a'])
    expect(await listRepositoryNames(database, { last: 'a', limit: 5 })).toEqual(['team/b'])
  })
})

describe('blobs', () => {
  it('are read through the link of a repository only, and live as long as they are needed', async () => {
    await using database = await openDatabase()
    const link = await database.transaction(async (transaction) => {
      const { repository } = await ensureRepository(transaction, 'app', 1)
      const content = { digest: one, size: 3, content: { data: Buffer.from('one') }, now: 1 }
      expect(await addBlobContent(transaction, content)).toMatchObject({ isUsed: true })
      expect(await addBlobContent(transaction, content)).toMatchObject({ isUsed: false })
      const made = { repositoryId: repository.id, digest: one, now: 1, leaseUntil: 10 }
      expect(await linkBlob(transaction, made)).toBe(true)
      expect(await linkBlob(transaction, { ...made, leaseUntil: 20 })).toBe(false)
      return made
    })
    await extendLease(database, link.repositoryId, one, 5)
    expect(await findBlob(database, 'app', one)).toMatchObject({ size: 3, leaseUntil: 20 })
    expect(await findBlob(database, 'other', one)).toBeUndefined()
    expect(await repositoriesWithBlob(database, one, 5)).toEqual(['app'])
    await database.run(`UPDATE blobs SET state = 'condemned', condemned_at = 5`)
    expect(await openBlob(database, 'app', one)).toMatchObject({ isCondemned: true })
    await database.transaction(async (transaction) => {
      expect([...(await claimBlobs(transaction, link.repositoryId, [one, two]))]).toEqual([
        [one, 3],
      ])
    })
    expect(await findBlob(database, 'app', one)).toMatchObject({ isCondemned: false })
    await database.transaction(async (transaction) => {
      expect(await unlinkBlob(transaction, link.repositoryId, one)).toBe(true)
      expect(await unlinkBlob(transaction, link.repositoryId, one)).toBe(false)
    })
    expect(await findBlob(database, 'app', one)).toBeUndefined()
  })

  it('replace content that was found damaged', async () => {
    await using database = await openDatabase()
    const content = { digest: one, size: 3, content: { key: 'aa' }, now: 1 }
    await database.transaction((transaction) => addBlobContent(transaction, content))
    await database.run(`UPDATE blobs SET state = 'quarantined'`)
    const again = { ...content, content: { key: 'bb' } }
    expect(await database.transaction((transaction) => addBlobContent(transaction, again))).toEqual(
      { isUsed: true, replacedKey: 'aa' },
    )
  })
})

describe('manifests and tags', () => {
  it('are found by tag, by digest and by subject, until they are deleted', async () => {
    await using database = await openDatabase()
    const bytes = Buffer.from('{}')
    await database.transaction(async (transaction) => {
      const { repository } = await ensureRepository(transaction, 'app', 1)
      const repositoryId = repository.id
      const manifest = {
        repositoryId,
        digest: one,
        mediaType: 'm',
        artifactType: 'a',
        subject: two,
        size: 2,
        bytes,
        descriptor: { mediaType: 'm', digest: one, size: 2 },
        blobs: [
          { digest: two, size: 1 },
          { digest: two, size: 1 },
        ],
        children: [two],
        now: 1,
      }
      expect(await addManifest(transaction, manifest)).toBe(true)
      expect(await addManifest(transaction, manifest)).toBe(false)
      expect(await setTag(transaction, { repositoryId, tag: 'x', digest: two, now: 1 })).toBe(
        undefined,
      )
      expect(await setTag(transaction, { repositoryId, tag: 'x', digest: one, now: 2 })).toBe(two)
      await setTag(transaction, { repositoryId, tag: 'y', digest: one, now: 2 })
    })
    const { id = 0 } = (await findRepository(database, 'app')) ?? {}
    expect(await findManifestByTag(database, 'app', 'x')).toMatchObject({ digest: one })
    expect((await findManifest(database, 'app', one))?.bytes).toEqual(new Uint8Array(bytes))
    expect(await tagsOf(database, id, one)).toEqual(['x', 'y'])
    expect(await listTagNames(database, id, { last: 'x', limit: 9 })).toEqual(['y'])
    const asked = { subject: two, artifactType: undefined, last: '', limit: 9 }
    expect(await listReferrerDescriptors(database, id, asked)).toHaveLength(1)
    expect(await listReferrerDescriptors(database, id, { ...asked, artifactType: 'b' })).toEqual([])
    await database.transaction(async (transaction) => {
      expect(await deleteTag(transaction, id, 'x')).toBe(one)
      expect(await deleteTag(transaction, id, 'x')).toBeUndefined()
      expect(await removeManifest(transaction, id, one)).toMatchObject({
        subject: two,
        blobs: [two],
        children: [two],
      })
      expect(await removeManifest(transaction, id, one)).toBeUndefined()
    })
    expect(await findTag(database, id, 'y')).toBe(one)
    expect(await findManifestByTag(database, 'app', 'y')).toBeUndefined()
  })
})

describe('uploads', () => {
  it('belong to the last who took them', async () => {
    await using database = await openDatabase()
    await addUpload(database, { id: 'u', repository: 'app', actor: undefined, now: 1 })
    const read = await findUpload(database, 'app', 'u')
    if (read === undefined) throw new Error('no upload')
    expect(await claimUpload(database, read, { holder: 'a', busyUntil: 9 })).toBe(true)
    expect(await claimUpload(database, read, { holder: 'b', busyUntil: 9 })).toBe(false)
    const mine = { ...read, epoch: 1, size: 3, data: Buffer.from('one'), busyUntil: 0 }
    expect(await saveUpload(database, mine, { now: 2 })).toBe(true)
    expect(await saveUpload(database, { ...mine, epoch: 0 }, { now: 3 })).toBe(false)
    expect(await findUpload(database, 'app', 'u')).toMatchObject({ size: 3, holder: 'a' })
    expect(await findUpload(database, 'other', 'u')).toBeUndefined()
    expect(await listStaleUploads(database, 2, 9)).toEqual([])
    expect(await listStaleUploads(database, 3, 9)).toHaveLength(1)
    expect(await removeUpload(database, { id: 'u', epoch: 0 })).toBe(false)
    expect(await removeUpload(database, { id: 'u', epoch: 1 })).toBe(true)
  })
})

describe('renewUpload', () => {
  it('does not take back that its writer is done', async () => {
    await using database = await openDatabase()
    await addUpload(database, { id: 'u', repository: 'app', actor: undefined, now: 1 })
    const busyUntil = async (): Promise<number | undefined> =>
      (await findUpload(database, 'app', 'u'))?.busyUntil
    const read = await findUpload(database, 'app', 'u')
    if (read === undefined) throw new Error('no upload')
    await claimUpload(database, read, { holder: 'a', busyUntil: 9 })
    const taken = { ...read, epoch: 1 }
    await renewUpload(database, taken, 20)
    expect(await busyUntil()).toBe(20)
    await saveUpload(database, { ...taken, busyUntil: 0 }, { now: 2 })
    await renewUpload(database, taken, 30)
    expect(await busyUntil()).toBe(0)
  })
})

describe('enqueueReview', () => {
  it('moves a review that waits to the new time', async () => {
    await using database = await openDatabase()
    for (const reviewAfter of [5, 9]) {
      const review = { kind: 'blob', repositoryId: 0, digest: one, event: 'uploaded' } as const
      await enqueueReview(database, { ...review, reviewAfter })
    }
    expect(await database.all('SELECT digest, review_after FROM review_queue')).toEqual([
      { digest: one, review_after: 9 },
    ])
  })
})

async function openDatabase(): Promise<Database> {
  const database = await openSqlite(':memory:')
  await migrate(database)
  return database
}

function digestOf(text: string): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`)
}
