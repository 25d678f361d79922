import { mediaTypes } from '@katman/oci'
import { expect, it } from 'vitest'
import type { ChangeListener, Database, Face, Need, Pull, Repository } from '../src/index.ts'
import { migrate } from '../src/index.ts'
import { createContext, type DistributionContext } from '../src/distribution/context.ts'
import { openHub } from '../src/hub/hub.ts'
import { openMemoryObjects } from '../src/objects/memory-objects.ts'
import type { Part } from '../src/part.ts'
import type { RegistryOptions } from '../src/registry-options.ts'
import { Refusal } from '../src/refusal.ts'
import type { OpenDatabase } from './databases.ts'
import { createSeed, type Seed } from './seed.ts'

interface Hub extends AsyncDisposable {
  readonly database: Database
  readonly part: Part
  readonly seed: Seed
  /** Asks Hub's API. */
  ask(target: string, options?: AskOptions): Promise<Answer>
  pull(repository: Repository, pull: Partial<Pull> & Pick<Pull, 'digest'>): void
}

interface AskOptions {
  readonly method?: string
  readonly body?: unknown
  /** Nobody when undefined. */
  readonly account?: string | undefined
  /** What may be done. Default: everything. */
  readonly may?: (need: Need) => boolean
  /** What may be seen. Default: everything. */
  readonly sees?: (repository: string) => boolean
}

interface Answer {
  readonly status: number
  readonly body: Body
}

type Facts = Readonly<Record<string, unknown>>

type Body = Facts & {
  readonly results: readonly Facts[]
  readonly images: readonly Facts[]
}

function coreOf(database: Database, listener: ChangeListener): DistributionContext {
  return createContext({ database, objects: openMemoryObjects(), listeners: [listener] })
}

async function openTestHub(
  open: OpenDatabase,
  options: RegistryOptions = { isOpen: true },
): Promise<Hub> {
  const database = await open()
  await migrate(database)
  let now = (): number => 0
  const part: Part = openHub({
    database,
    core: coreOf(database, async (transaction, change) => {
      for (const listener of part.listeners ?? []) await listener(transaction, change)
    }),
    options: { publicUrl: 'https://hub.test', ...options },
    now: () => now(),
    warn: () => undefined,
  })
  const seed = createSeed(database, part.listeners ?? [])
  now = () => seed.now
  const [face] = part.faces ?? []
  if (face === undefined) throw new Error('no face')
  return {
    database,
    part,
    seed,
    ask: (target, options) => ask(face, target, options),
    pull: (repository, pull) =>
      part.onPull?.({
        repository,
        tag: undefined,
        method: 'GET',
        mediaType: mediaTypes.ociManifest,
        actor: undefined,
        at: seed.now,
        ...pull,
      }),
    async [Symbol.asyncDispose]() {
      await part.close?.()
      await database.close()
    },
  }
}

async function ask(
  face: Face,
  target: string,
  { method = 'GET', body, account, may = () => true, sees = () => true }: AskOptions = {},
): Promise<Answer> {
  const url = new URL(target, 'https://hub.test')
  const answered = await face(
    {
      method,
      path: url.pathname,
      query: url.searchParams,
      header: () => undefined,
      body: (async function* sent() {
        if (body !== undefined) yield Buffer.from(JSON.stringify(body))
      })(),
    },
    async (need) => {
      if (!may(need)) throw new Refusal(403, 'DENIED', 'denied')
      return { account, may, maySee: sees }
    },
  )
  if (answered === undefined) return { status: 0, body: readBody('') }
  const text = Buffer.from((answered.body as Uint8Array | undefined) ?? '').toString()
  return { status: answered.status, body: readBody(text) }
}

function readBody(text: string): Body {
  return JSON.parse(text || '{}') as Body
}

const linux = (architecture: string) => ({ os: 'linux', architecture })

/** Docker Hub's API on a database. */
export function hubSuite(open: OpenDatabase): void {
  it('answers the digest of a tag to those who look for it by name', async () => {
    await using hub = await openTestHub(open)
    const repository = await hub.seed.repository('team/app')
    const digest = await hub.seed.image(repository, { tag: 'latest', platform: linux('amd64') })
    await hub.seed.image(repository, { tag: '1.0' })
    for (const path of [
      '/v2/repositories/team/app/tags/?name=latest',
      '/v2/repositories/team/app/tags?name=LATE',
      '/v2/namespaces/team/repositories/app/tags?name=latest',
    ]) {
      const { status, body } = await hub.ask(path)
      expect([status, body.count, body.results.map((tag) => tag.digest)]).toEqual([
        200,
        1,
        [digest],
      ])
    }
    expect((await hub.ask('/v2/repositories/team/app/tags/?name=l%25t')).body.count).toBe(0)
  })

  it('shows a tag with all that Docker Hub shows', async () => {
    await using hub = await openTestHub(open)
    const repository = await hub.seed.repository('team/app')
    const platform = { ...linux('arm64'), variant: 'v8' }
    const digest = await hub.seed.image(repository, { tag: '1', platform, size: 4711 })
    const time = '2026-01-01T00:00:00.000Z'
    const { status, body } = await hub.ask('/v2/repositories/team/app/tags/1/')
    expect(status).toBe(200)
    expect(body).toEqual({
      creator: 0,
      id: expect.any(Number),
      images: [
        {
          architecture: 'arm64',
          features: '',
          variant: 'v8',
          digest,
          os: 'linux',
          os_features: '',
          os_version: null,
          size: 4711,
          status: 'active',
          last_pulled: null,
          last_pushed: time,
        },
      ],
      last_updated: time,
      last_updater: 0,
      last_updater_username: 'ada',
      name: '1',
      repository: repository.id,
      full_size: 4711,
      v2: true,
      tag_status: 'active',
      tag_last_pulled: null,
      tag_last_pushed: time,
      media_type: mediaTypes.ociManifest,
      content_type: 'image',
      digest,
    })
    const missing = await hub.ask('/v2/repositories/team/app/tags/2/')
    expect(missing).toEqual({
      status: 404,
      body: {
        message: 'object not found',
        errinfo: { namespace: 'team', repository: 'app', tag: '2' },
      },
    })
    expect((await hub.ask('/v2/repositories/team/no/tags/')).status).toBe(404)
    expect((await hub.ask('/v2/repositories/team/%2e.%2fapp/tags/')).status).toBe(404)
    expect((await hub.ask('/v2/repositories/team/app/tags/1', { method: 'PUT' })).status).toBe(405)
    expect((await hub.ask('/v2/team/app/manifests/1')).status).toBe(0)
  })

  it('shows the images of an index with their platforms and sizes', async () => {
    await using hub = await openTestHub(open)
    const repository = await hub.seed.repository('app')
    const children = []
    for (const [architecture, size] of [
      ['arm64', 10],
      ['amd64', 20],
    ] as const) {
      const digest = await hub.seed.image(repository, { platform: linux(architecture), size })
      children.push({
        mediaType: mediaTypes.ociManifest,
        digest,
        size: 1,
        platform: { os: 'linux', architecture, variant: 'x' },
      })
    }
    const digest = await hub.seed.index(repository, children, 'latest')
    const { body } = await hub.ask('/v2/repositories/library/app/tags/latest')
    expect(body).toMatchObject({ digest, full_size: 20, media_type: mediaTypes.ociIndex })
    expect(body.images).toMatchObject([
      { architecture: 'arm64', os: 'linux', variant: 'x', size: 10, digest: children[0]?.digest },
      { architecture: 'amd64', os: 'linux', variant: 'x', size: 20, digest: children[1]?.digest },
    ])
  })

  it('goes through tags page by page, the newest first or by name', async () => {
    await using hub = await openTestHub(open)
    const repository = await hub.seed.repository('team/app')
    for (const tag of ['b', 'c', 'a']) {
      await hub.seed.image(repository, { tag })
      hub.seed.now += 1000
    }
    const names = async (query: string): Promise<unknown> =>
      (await hub.ask(`/v2/repositories/team/app/tags/?${query}`)).body.results.map(
        (tag) => tag.name,
      )
    expect(await names('')).toEqual(['a', 'c', 'b'])
    expect(await names('ordering=-last_updated')).toEqual(['b', 'c', 'a'])
    expect(await names('ordering=name')).toEqual(['a', 'b', 'c'])
    expect(await names('ordering=-name&name=')).toEqual(['c', 'b', 'a'])
    const { body } = await hub.ask('/v2/repositories/team/app/tags/?page_size=1&page=2')
    expect(body).toMatchObject({
      count: 3,
      next: 'https://hub.test/v2/repositories/team/app/tags/?page_size=1&page=3',
      previous: 'https://hub.test/v2/repositories/team/app/tags/?page_size=1&page=1',
    })
    expect((await hub.ask('/v2/repositories/team/app/tags/?page_size=1&page=3')).body.next).toBe(
      null,
    )
    for (const query of ['page=0', 'page=x', 'page_size=-1', 'ordering=digest']) {
      expect((await hub.ask(`/v2/repositories/team/app/tags/?${query}`)).status).toBe(400)
    }
  })

  it('counts pulls, and adds up what several replicas counted', async () => {
    await using hub = await openTestHub(open)
    const other = openHub({
      database: hub.database,
      core: coreOf(hub.database, async () => undefined),
      options: {},
      now: () => 0,
      warn: () => undefined,
    })
    const repository = await hub.seed.repository('team/app')
    const digest = await hub.seed.image(repository, { tag: '1' })
    hub.seed.now += 60_000
    hub.pull(repository, { digest, tag: '1' })
    hub.pull(repository, { digest, tag: '1', method: 'HEAD', at: hub.seed.now + 1000 })
    // The index of an image for several platforms is asked for first: that is no pull of its own.
    hub.pull(repository, { digest, mediaType: mediaTypes.ociIndex })
    other.onPull?.({
      repository,
      digest,
      tag: undefined,
      method: 'GET',
      mediaType: mediaTypes.ociManifest,
      actor: undefined,
      at: hub.seed.now,
    })
    await other.close?.()
    await hub.part.close?.()
    const { body } = await hub.ask('/v2/repositories/team/app/')
    expect(body).toMatchObject({ pull_count: 2, last_pulled: '2026-01-01T00:01:00.000Z' })
    const tag = (await hub.ask('/v2/repositories/team/app/tags/1')).body
    expect(tag.tag_last_pulled).toBe('2026-01-01T00:01:01.000Z')
    expect(tag.images[0]?.last_pulled).toBe('2026-01-01T00:01:00.000Z')
  })

  it('says that a tag nobody used for a month is inactive', async () => {
    await using hub = await openTestHub(open)
    const repository = await hub.seed.repository('team/app')
    const digest = await hub.seed.image(repository, { tag: '1' })
    hub.seed.now += 31 * 24 * 3600 * 1000
    expect((await hub.ask('/v2/repositories/team/app/tags/1')).body.tag_status).toBe('inactive')
    hub.pull(repository, { digest, tag: '1' })
    await hub.part.close?.()
    const { body } = await hub.ask('/v2/repositories/team/app/tags/1')
    expect([body.tag_status, body.images[0]?.status]).toEqual(['active', 'active'])
  })

  it('forgets what it knew of a tag that was deleted', async () => {
    await using hub = await openTestHub(open)
    const repository = await hub.seed.repository('team/app')
    const digest = await hub.seed.image(repository, { tag: '1' })
    hub.pull(repository, { digest, tag: '1' })
    await hub.part.close?.()
    const gone = { method: 'DELETE', account: 'ada' }
    expect((await hub.ask('/v2/repositories/team/app/tags/1/', gone)).status).toBe(204)
    expect((await hub.ask('/v2/repositories/team/app/tags/1/', gone)).status).toBe(404)
    hub.seed.actor = undefined
    await hub.seed.tag(repository, '1', digest)
    expect((await hub.ask('/v2/repositories/team/app/tags/1')).body).toMatchObject({
      tag_last_pulled: null,
      last_updater_username: '',
    })
  })

  it('calls repositories of one name official, in the namespace library', async () => {
    await using hub = await openTestHub(open)
    for (const name of ['nginx', 'library/redis', 'team/app', 'both', 'library/both']) {
      await hub.seed.repository(name)
    }
    const { body } = await hub.ask('/v2/repositories/library/?ordering=name')
    expect(body.results).toMatchObject([
      { name: 'both', namespace: 'library', is_official: true },
      { name: 'nginx', namespace: 'library', badge: 'official' },
      { name: 'redis', namespace: 'library', is_official: true },
    ])
    expect((await hub.ask('/v2/namespaces/team/repositories')).body.results).toMatchObject([
      { name: 'app', namespace: 'team', is_official: false, badge: null },
    ])
    expect((await hub.ask('/v2/repositories/library/nginx')).body).toMatchObject({
      user: 'library',
      name: 'nginx',
      permissions: { read: true },
    })
  })

  it('lists and finds only what the client may see', async () => {
    await using hub = await openTestHub(open)
    for (const name of ['team/app', 'team/secret-app']) await hub.seed.repository(name)
    const sees = (name: string): boolean => !name.includes('secret')
    expect((await hub.ask('/v2/repositories/team/', { sees })).body.count).toBe(1)
    expect((await hub.ask('/v2/search/repositories/?query=app', { sees })).body).toMatchObject({
      count: 1,
      results: [{ repo_name: 'team/app', repo_owner: 'team', is_official: false }],
    })
  })

  it('finds the most alike first, and those with more stars before others', async () => {
    await using hub = await openTestHub(open)
    for (const name of ['x/redis-tools', 'b/redis', 'a/redis', 'redis']) {
      await hub.seed.repository(name)
    }
    expect((await hub.ask('/v2/repositories/b/redis/stars/', { method: 'POST' })).status).toBe(401)
    for (const account of ['ada', 'ada', 'bob']) {
      const starred = await hub.ask('/v2/repositories/b/redis/stars/', { method: 'POST', account })
      expect(starred.status).toBe(201)
    }
    const found = await hub.ask('/v2/search/repositories/?query=redis')
    expect(found.body.results.map((one) => [one.repo_name, one.star_count])).toEqual([
      ['redis', 0],
      ['b/redis', 2],
      ['a/redis', 0],
      ['x/redis-tools', 0],
    ])
    await hub.ask('/v2/repositories/b/redis/stars/', { method: 'DELETE', account: 'ada' })
    const { body } = await hub.ask('/v2/repositories/b/redis/', { account: 'ada' })
    expect(body).toMatchObject({ star_count: 1, has_starred: false })
  })

  it('keeps what people write about a repository as they wrote it', async () => {
    await using hub = await openTestHub(open)
    await hub.seed.repository('team/app')
    const text = '<script>alert(1)</script> "quoted" \u202e'
    const changed = await hub.ask('/v2/repositories/team/app/', {
      method: 'PATCH',
      account: 'ada',
      body: {
        description: text,
        full_description: `# ${text}`,
        categories: ['Databases & storage', { name: 'Web', slug: 'ignored' }],
      },
    })
    expect(changed.status).toBe(200)
    const { body } = await hub.ask('/v2/repositories/team/app/')
    expect(body).toMatchObject({
      description: text,
      full_description: `# ${text}`,
      categories: [
        { name: 'Databases & storage', slug: 'databases-and-storage' },
        { name: 'Web', slug: 'web' },
      ],
    })
    const shorter = { method: 'PATCH', body: { full_description: 'new', registry: 'here' } }
    await hub.ask('/v2/repositories/team/app', shorter)
    expect((await hub.ask('/v2/repositories/team/app')).body).toMatchObject({
      description: text,
      full_description: 'new',
    })
    for (const wrong of [
      { description: 'x'.repeat(101) },
      { full_description: 'x'.repeat(25_001) },
      { categories: ['a', 'b', 'c', 'd'] },
      { categories: ['!'] },
      { badge: 'gold' },
      { is_private: true },
      { pull_count: 1_000_000 },
    ]) {
      const answer = await hub.ask('/v2/repositories/team/app', { method: 'PATCH', body: wrong })
      expect(answer.status).toBe(400)
    }
  })

  it('lets only those change it who administer the repository, and badges only those of the registry', async () => {
    await using hub = await openTestHub(open)
    await hub.seed.repository('team/app')
    const change = { method: 'PATCH', body: { description: 'x' } }
    const pullsOnly = (need: Need): boolean =>
      typeof need === 'object' && 'actions' in need && !need.actions.includes('admin')
    const refused = hub.ask('/v2/repositories/team/app', { ...change, may: pullsOnly })
    await expect(refused).rejects.toThrow('denied')
    const badge = { method: 'PATCH', body: { badge: 'verified_publisher' } }
    const owns = (need: Need): boolean => need !== 'system'
    const unbadged = hub.ask('/v2/repositories/team/app', { ...badge, may: owns })
    await expect(unbadged).rejects.toThrow('only who administers the registry')
    expect((await hub.ask('/v2/repositories/team/app', badge)).body['badge']).toBe(
      'verified_publisher',
    )
  })

  it('makes a repository public and private', async () => {
    await using hub = await openTestHub(open, {})
    await hub.seed.repository('app')
    const privacy = async (): Promise<unknown> =>
      (await hub.ask('/v2/repositories/library/app')).body['is_private']
    expect(await privacy()).toBe(true)
    for (const isPrivate of [false, true]) {
      const body = { is_private: isPrivate }
      await hub.ask('/v2/repositories/library/app', { method: 'PATCH', account: 'ada', body })
      hub.seed.now += 60_000
      expect(await privacy()).toBe(isPrivate)
    }
    // The name of one part is the same repository; a wider grant is for others, too.
    const change = { method: 'PATCH', account: 'ada', body: { is_private: true } }
    const grant = (pattern: string): Promise<unknown> =>
      hub.database.run(
        "INSERT INTO grants (subject, account_id, pattern, actions, created_at) VALUES ('anonymous', 0, ?, 'pull', 1)",
        [pattern],
      )
    await grant('app')
    await hub.ask('/v2/repositories/library/app', change)
    hub.seed.now += 60_000
    expect(await privacy()).toBe(true)
    await grant('library/**')
    await expect(hub.ask('/v2/repositories/library/app', change)).rejects.toThrow('library/**')
    const log = await hub.database.all('SELECT actor, action, detail FROM audit_log ORDER BY id')
    expect(log).toEqual([
      { actor: 'ada', action: 'repository.change', detail: 'public' },
      { actor: 'ada', action: 'repository.change', detail: 'private' },
      { actor: 'ada', action: 'repository.change', detail: 'private' },
    ])
  })

  it('asks for the same right whether there is a repository or not', async () => {
    await using hub = await openTestHub(open)
    await hub.seed.repository('app')
    const asked: unknown[] = []
    const may = (need: Need): boolean => {
      asked.push(need)
      return false
    }
    for (const name of ['app', 'nothing']) {
      const refused = hub.ask(`/v2/repositories/library/${name}/tags/`, { may })
      await expect(refused).rejects.toThrow('denied')
    }
    expect(asked).toEqual([
      { repository: 'library/app', actions: ['pull'] },
      { repository: 'library/nothing', actions: ['pull'] },
    ])
  })
}
