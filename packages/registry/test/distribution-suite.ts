import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { type Digest, KatmanError, mediaTypes } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import type { Gate } from '../src/access.ts'
import {
  type Change,
  createRegistry,
  type CreateRegistryOptions,
  type Database,
  migrate,
  type ObjectStore,
  type ObjectUpload,
  openMemoryObjects,
  type Registry,
} from '../src/index.ts'
import { openFolderObjects } from '../src/objects/folder-objects.ts'
import { Refusal } from '../src/refusal.ts'
import type { OpenDatabase } from './databases.ts'
import { digestOf, makeFolder } from './support.ts'

type Options = Partial<CreateRegistryOptions>

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

interface Ask {
  (
    target: string,
    options?: {
      readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>
      readonly headers?: Readonly<Record<string, string>>
    },
  ): Promise<Answer>
}

interface World extends AsyncDisposable {
  readonly database: Database
  readonly objects: ObjectStore
  /** Another registry over the same storage: a replica. */
  registry(options?: Options): Ask
}

const large = Buffer.alloc(200_000, 'large content ')
const config = Buffer.from('{}')

/** What the distribution API does with any database. */
export function distributionSuite(name: string, open: OpenDatabase): void {
  async function openWorld(): Promise<World> {
    const database = await open()
    await migrate(database)
    const objects = openMemoryObjects()
    return {
      database,
      objects,
      registry: (options = {}) => asking(createRegistry({ database, objects, ...options })),
      [Symbol.asyncDispose]: () => database.close(),
    }
  }

  describe(`uploads of replicas on ${name}`, () => {
    it('go on at any of them', async () => {
      await using world = await openWorld()
      const [one, other] = [world.registry(), world.registry()]
      const session = await begin(one)
      await other(`PATCH ${session}`, { body: large.subarray(0, 10) })
      await one(`PATCH ${session}`, { body: large.subarray(10, 150_000) })
      const status = await other(`GET ${session}`)
      expect([status.status, status.headers['range']]).toEqual([204, '0-149999'])
      await other(`PATCH ${session}`, { body: large.subarray(150_000, 150_001) })
      const digest = digestOf(large)
      const body = large.subarray(150_001)
      expect((await one(`PUT ${session}?digest=${digest}`, { body })).status).toBe(201)
      expect((await other(`GET /v2/app/blobs/${digest}`)).text).toBe(large.toString())
    })

    it('are closed by another without reading them again', async () => {
      await using world = await openWorld()
      let reads = 0
      const objects: ObjectStore = {
        ...world.objects,
        readUpload(upload) {
          reads += 1
          return world.objects.readUpload(upload)
        },
      }
      const [one, other] = [world.registry({ objects }), world.registry({ objects })]
      for (const [algorithm, most] of [
        ['sha256', 0],
        ['sha512', 1],
      ] as const) {
        const session = await begin(one)
        await one(`PATCH ${session}`, { body: large })
        const digest = digestOf(large, algorithm)
        expect((await other(`PUT ${session}?digest=${digest}`)).status).toBe(201)
        expect(reads).toBe(most)
      }
      const session = await begin(one)
      await one(`PATCH ${session}`, { body: large })
      const { status } = await other(`PUT ${session}?digest=${digestOf('other')}`)
      expect(status).toBe(400)
    })

    it('take one writer at a time', async () => {
      await using world = await openWorld()
      const [one, other] = [world.registry(), world.registry()]
      const session = await begin(one)
      const pause = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      async function* slow(): AsyncIterable<Uint8Array> {
        yield large.subarray(0, 100_000)
        begun.resolve()
        await pause.promise
        yield large.subarray(100_000)
      }
      const first = one(`PATCH ${session}`, { body: slow() })
      await begun.promise
      const isTaken = async (): Promise<boolean> => {
        const row = await world.database.get<{ readonly busy_until: number }>(
          'SELECT busy_until FROM uploads',
        )
        return (row?.busy_until ?? 0) > 0
      }
      while (!(await isTaken())) await new Promise(setImmediate)
      expect((await other(`PATCH ${session}`, { body: 'between' })).status).toBe(409)
      pause.resolve()
      expect((await first).status).toBe(202)
      expect((await other(`PUT ${session}?digest=${digestOf(large)}`)).status).toBe(201)
    })

    it('are taken over from a replica that is gone, whose last write changes nothing', async () => {
      await using world = await openWorld()
      let now = 1_000_000
      const ask = world.registry({ now: () => now })
      const session = await begin(ask)
      await ask(`PATCH ${session}`, { body: large.subarray(0, 100_000) })
      await world.database.run(
        "UPDATE uploads SET epoch = epoch + 1, busy_until = ?, holder = 'elsewhere/1/x'",
        [now + 10_000],
      )
      const late = await world.database.get<{ readonly state: string }>('SELECT state FROM uploads')
      const rest = { body: large.subarray(100_000), headers: { 'content-range': '100000-199999' } }
      expect((await ask(`PATCH ${session}`, rest)).status).toBe(409)
      now += 10_001
      expect((await ask(`PATCH ${session}`, rest)).status).toBe(202)
      async function* more(): AsyncIterable<Uint8Array> {
        yield Buffer.from('the one who is gone writes on')
      }
      await world.objects.append(Object(JSON.parse(late?.state ?? '')), more())
      expect((await ask(`PUT ${session}?digest=${digestOf(large)}`)).status).toBe(201)
      const { text } = await ask(`GET /v2/app/blobs/${digestOf(large)}`)
      expect(digestOf(text)).toBe(digestOf(large))
    })

    it('become a blob of what its digest says when two close them at once', async () => {
      await using world = await openWorld()
      const root = await makeFolder()
      try {
        const objects = await openFolderObjects(root)
        const [one, other] = [world.registry({ objects }), world.registry({ objects })]
        const session = await begin(one)
        await one(`PATCH ${session}`, { body: large })
        const [key = ''] = await readdir(path.join(root, 'incoming'))
        const whole = Buffer.concat([large, Buffer.alloc(6_000_000, 'more ')])
        const isClosed = Promise.withResolvers<void>()
        async function* nothing(): AsyncIterable<Uint8Array> {
          while ((await stat(path.join(root, 'incoming', key))).size === large.byteLength);
          yield new Uint8Array()
        }
        async function* rest(): AsyncIterable<Uint8Array> {
          yield whole.subarray(large.byteLength, 5_000_000)
          await isClosed.promise
          yield whole.subarray(5_000_000)
        }
        const early = other(`PUT ${session}?digest=${digestOf(large)}`, { body: nothing() })
        const late = one(`PUT ${session}?digest=${digestOf(whole)}`, { body: rest() })
        expect((await early).status).toBe(409)
        isClosed.resolve()
        expect((await late).status).toBe(201)
        const { text } = await other(`GET /v2/app/blobs/${digestOf(whole)}`)
        expect(digestOf(text)).toBe(digestOf(whole))
        expect((await one(`HEAD /v2/app/blobs/${digestOf(large)}`)).status).toBe(404)
      } finally {
        await rm(root, { recursive: true })
      }
    })

    it('belong to nobody else while they are hashed and finished', async () => {
      await using world = await openWorld()
      const one = world.registry()
      const session = await begin(one)
      await one(`PATCH ${session}`, { body: large.subarray(0, 100_000) })
      const objects: ObjectStore = {
        ...world.objects,
        async finish(upload) {
          const between = await one(`PATCH ${session}`, { body: large.subarray(100_000) })
          expect(between.status).toBe(409)
          await world.objects.finish(upload)
        },
      }
      const digest = digestOf(large.subarray(0, 100_000))
      const { status } = await world.registry({ objects })(`PUT ${session}?digest=${digest}`)
      expect(status).toBe(201)
    })

    it('are closed again at once after the store failed', async () => {
      await using world = await openWorld()
      let failures = 1
      const objects: ObjectStore = {
        ...world.objects,
        async finish(upload) {
          if (failures-- > 0) throw new Error('the store is away')
          await world.objects.finish(upload)
        },
      }
      const ask = world.registry({ objects })
      const session = await begin(ask)
      await ask(`PATCH ${session}`, { body: large })
      const close = `PUT ${session}?digest=${digestOf(large)}`
      await expect(
        ask(close).then(
          ({ status }) => status,
          () => 500,
        ),
      ).resolves.toBe(500)
      expect((await ask(close)).status).toBe(201)
    })

    it('leave no object when they are cancelled before it is written down', async () => {
      await using world = await openWorld()
      const begun: ObjectUpload[] = []
      const session = await begin(world.registry())
      const objects: ObjectStore = {
        ...world.objects,
        async append(upload, bytes) {
          begun.push(upload)
          expect((await world.registry()(`DELETE ${session}`)).status).toBe(204)
          return world.objects.append(upload, bytes)
        },
      }
      const { status } = await world.registry({ objects })(`PATCH ${session}`, { body: large })
      expect([status, begun.length]).toEqual([409, 1])
      for (const upload of begun) {
        const left = { ...upload, size: large.byteLength }
        expect(await Array.fromAsync(world.objects.readUpload(left))).toEqual([])
      }
    })

    it('are not given up by a slow writer whose bytes the next one took over', async () => {
      await using world = await openWorld()
      let now = 1_000_000
      const next = world.registry({ now: () => now })
      const session = await begin(next)
      await next(`PATCH ${session}`, { body: large.subarray(0, 100_000) })
      const objects: ObjectStore = {
        ...world.objects,
        async append(upload) {
          now += 60_000
          const body = large.subarray(100_000)
          expect((await next(`PATCH ${session}`, { body })).status).toBe(202)
          throw new KatmanError('OBJECT_LOST', upload.key, { hint: 'push it again' })
        },
      }
      const slow = world.registry({ objects, now: () => now })
      const { status } = await slow(`PATCH ${session}`, { body: large.subarray(100_000) })
      expect(status).toBe(409)
      expect((await next(`PUT ${session}?digest=${digestOf(large)}`)).status).toBe(201)
    })

    it('keep one object when two push the same at once', async () => {
      await using world = await openWorld()
      const target = `POST /v2/app/blobs/uploads/?digest=${digestOf(large)}`
      const answers = await Promise.all(
        [1, 2, 3].map(() => world.registry()(target, { body: large })),
      )
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
      expect(await Array.fromAsync(world.objects.list())).toHaveLength(1)
    })

    it('leave nothing behind when they are cancelled or wrong', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      for (const body of ['small', large]) {
        const session = await begin(ask)
        await ask(`PATCH ${session}`, { body })
        expect((await ask(`DELETE ${session}`)).status).toBe(204)
        const other = await begin(ask)
        const wrong = await ask(`PUT ${other}?digest=${digestOf('x')}`, { body })
        expect(wrong.status).toBe(400)
      }
      expect(await world.database.all('SELECT id FROM uploads')).toEqual([])
      expect(await world.database.all('SELECT digest FROM blobs')).toEqual([])
      expect(await Array.fromAsync(world.objects.list())).toEqual([])
    })
  })

  describe(`blobs on ${name}`, () => {
    it.each([
      ['HEAD', (ask: Ask, digest: Digest) => ask(`HEAD /v2/app/blobs/${digest}`)],
      ['GET', (ask: Ask, digest: Digest) => ask(`GET /v2/app/blobs/${digest}`)],
      [
        'mount',
        (ask: Ask, digest: Digest) => ask(`POST /v2/other/blobs/uploads/?mount=${digest}&from=app`),
      ],
      [
        'upload',
        (ask: Ask, digest: Digest) =>
          ask(`POST /v2/other/blobs/uploads/?digest=${digest}`, { body: config }),
      ],
      ['manifest', (ask: Ask) => put(ask, 'app', '1', image())],
    ])('that are to be removed come alive with %s', async (_, use) => {
      await using world = await openWorld()
      const ask = world.registry()
      const digest = await push(ask, 'app', config)
      await world.database.run("UPDATE blobs SET state = 'condemned', condemned_at = 1")
      expect((await use(ask, digest)).status).toBeLessThan(300)
      expect(await world.database.all('SELECT state, condemned_at FROM blobs')).toEqual([
        { state: 'live', condemned_at: null },
      ])
    })

    it('stay when somebody asks for them before a push', async () => {
      await using world = await openWorld()
      let now = 1_000_000
      const ask = world.registry({ now: () => now, limits: { leaseMs: 1000 } })
      const digest = await push(ask, 'app', config)
      const lease = async (): Promise<unknown> =>
        (await world.database.get('SELECT lease_until FROM repository_blobs')) ?? {}
      await ask(`HEAD /v2/app/blobs/${digest}`)
      expect(await lease()).toEqual({ lease_until: 1_001_000 })
      now += 900
      await ask(`HEAD /v2/app/blobs/${digest}`)
      expect(await lease()).toEqual({ lease_until: 1_001_900 })
      // What names it may be deleted before the push is done.
      await put(ask, 'app', '1', image())
      now += 5000
      await ask(`HEAD /v2/app/blobs/${digest}`)
      expect(await lease()).toEqual({ lease_until: 1_006_900 })
    })

    it('that are damaged are unknown until they are pushed again', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      const digest = await push(ask, 'app', large)
      await world.database.run("UPDATE blobs SET state = 'quarantined'")
      expect((await ask(`GET /v2/app/blobs/${digest}`)).status).toBe(404)
      await push(ask, 'app', large)
      expect((await ask(`GET /v2/app/blobs/${digest}`)).text).toBe(large.toString())
      expect(await Array.fromAsync(world.objects.list())).toHaveLength(1)
    })

    it('are mounted from where the client may read, named or not, and from nowhere else', async () => {
      await using world = await openWorld()
      const digest = await push(world.registry(), 'secret', config)
      const seesOnly = (visible: string): Ask =>
        world.registry({
          gate: {
            // A token for the one repository, of an account that sees another.
            admit: () => ({ may: () => false, maySee: (repository) => repository === visible }),
          } satisfies Gate,
        })
      for (const from of ['', '&from=secret']) {
        const target = `POST /v2/app/blobs/uploads/?mount=${digest}${from}`
        expect((await seesOnly('public')(target)).status).toBe(202)
        expect((await world.registry()(`HEAD /v2/app/blobs/${digest}`)).status).toBe(404)
        expect((await seesOnly('secret')(target)).status).toBe(201)
        expect((await world.registry()(`DELETE /v2/app/blobs/${digest}`)).status).toBe(202)
      }
    })

    it('are not sent again to who has them', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      const digest = await push(ask, 'app', config)
      const { headers } = await put(ask, 'app', '1', image())
      const manifest = headers['docker-content-digest']
      for (const [path, etag] of [
        [`/v2/app/blobs/${digest}`, `"${digest}"`],
        ['/v2/app/manifests/1', `"${manifest}"`],
      ]) {
        for (const method of ['GET', 'HEAD']) {
          const held = { 'if-none-match': `"other", W/${etag}` }
          const same = await ask(`${method} ${path}`, { headers: held })
          expect([same.status, same.text]).toEqual([304, ''])
          const other = await ask(`${method} ${path}`, { headers: { 'if-none-match': '"x"' } })
          expect(other.status).toBe(200)
          expect(other.headers['etag']).toBe(etag)
        }
      }
    })

    it('are where the object store says, when clients may go there', async () => {
      await using world = await openWorld()
      const linkTo: ObjectStore['linkTo'] = async (key, { expiresSeconds }) =>
        `https://objects.example/${key}?for=${expiresSeconds}`
      const objects = { ...world.objects, linkTo }
      const ask = world.registry({ objects, redirects: { expiresSeconds: 60 } })
      const digest = await push(ask, 'app', large)
      const { status, headers } = await ask(`GET /v2/app/blobs/${digest}`)
      expect([status, headers['docker-content-digest']]).toEqual([307, digest])
      expect(headers['location']).toMatch(/^https:\/\/objects\.example\/[0-9a-f-]+\?for=60$/)
      const small = await push(ask, 'app', config)
      expect((await ask(`GET /v2/app/blobs/${small}`)).text).toBe('{}')
    })
  })

  describe(`manifests on ${name}`, () => {
    it('are told to listeners, whose refusal undoes all of it', async () => {
      await using world = await openWorld()
      const told: string[] = []
      const ask = world.registry({
        listeners: [
          async (_, change) => {
            told.push(describeChange(change))
            if (change.kind === 'tag-set' && change.tag === 'fixed')
              throw new Refusal(409, 'DENIED', 'the tag is immutable')
          },
        ],
      })
      await push(ask, 'team/app', config)
      const refused = await put(ask, 'team/app', 'fixed', image())
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('immutable')])
      expect(await world.database.all('SELECT digest FROM manifests')).toEqual([])
      await put(ask, 'team/app', '1', image())
      await put(ask, 'team/app', '1', image({ a: 'b' }))
      await ask('DELETE /v2/team/app/manifests/1')
      await ask(`DELETE /v2/team/app/manifests/${digestOf(image())}`)
      await ask(`DELETE /v2/team/app/blobs/${digestOf(config)}`)
      expect(told).toEqual([
        'repository-created in team',
        'blob-linked new',
        'manifest-put new',
        'tag-set fixed',
        'manifest-put new',
        'tag-set 1',
        'manifest-put new',
        'tag-set 1 moved',
        'tag-deleted 1',
        'manifest-deleted',
        'blob-unlinked',
      ])
    })

    it('are pushed with many tags, which answer with the digest they were pushed by', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      await push(ask, 'app', config)
      const digest = digestOf(image(), 'sha512')
      const pushed = await put(ask, 'app', `${digest}?tag=a&tag=b&tag=a`, image())
      expect([pushed.status, pushed.headers['oci-tag']]).toEqual([201, 'a, b'])
      for (const tag of ['a', 'b']) {
        const { headers, text } = await ask(`GET /v2/app/manifests/${tag}`)
        expect([headers['docker-content-digest'], text]).toEqual([digest, image()])
      }
      const wrong = await put(ask, 'app', `${digest}?tag=c&tag=-x`, image())
      expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('TAG_INVALID')])
      expect((await ask('HEAD /v2/app/manifests/c')).status).toBe(404)
    })

    it('may name what is not there only where that is allowed', async () => {
      await using world = await openWorld()
      const [strict, sparse] = [world.registry(), world.registry({ allowSparse: true })]
      expect((await put(strict, 'app', '1', image())).status).toBe(400)
      expect((await put(sparse, 'app', '1', image())).status).toBe(201)
      const list = index([{ mediaType: mediaTypes.ociManifest, digest: digestOf('x'), size: 1 }])
      expect((await put(strict, 'app', '2', list, mediaTypes.ociIndex)).status).toBe(400)
      expect((await put(sparse, 'app', '2', list, mediaTypes.ociIndex)).status).toBe(201)
    })

    it('may always name layers that are elsewhere and a subject that is not there', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      await push(ask, 'app', config)
      const elsewhere = { digest: digestOf('x'), size: 1 }
      const document = image({
        layers: [
          { mediaType: mediaTypes.ociForeignLayerGzip, ...elsewhere },
          { mediaType: mediaTypes.ociLayer, ...elsewhere, urls: ['https://example.com/x'] },
        ],
        subject: { mediaType: mediaTypes.ociManifest, ...elsewhere },
      })
      const pushed = await put(ask, 'app', '1', document)
      expect(pushed.status).toBe(201)
      expect(pushed.headers['warning']).toMatch(/^299 - "non-distributable layers/)
    })

    it('are the image for linux/amd64 to a client that takes no index', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      await push(ask, 'app', config)
      const digests: string[] = []
      for (const architecture of ['arm64', 'amd64']) {
        const document = image({ annotations: { architecture } })
        digests.push(digestOf(document))
        await put(ask, 'app', digestOf(document), document)
      }
      const entry = (at: number, architecture: string): object => ({
        mediaType: mediaTypes.ociManifest,
        digest: digests[at],
        size: 1,
        platform: { os: 'linux', architecture },
      })
      const list = index([entry(0, 'arm64'), entry(1, 'amd64')])
      await put(ask, 'app', '1', list, mediaTypes.ociIndex)
      const asked = async (reference: string, accept?: string): Promise<string | undefined> => {
        const headers = accept === undefined ? {} : { accept }
        const answer = await ask(`HEAD /v2/app/manifests/${reference}`, { headers })
        return answer.headers['docker-content-digest']
      }
      const whole = digestOf(list)
      const { dockerManifest, ociIndex, ociManifest } = mediaTypes
      expect(await asked('1')).toBe(whole)
      expect(await asked('1', '*/*')).toBe(whole)
      expect(await asked('1', 'text/html')).toBe(whole)
      expect(await asked('1', `${ociManifest}, ${ociIndex};q=0.5`)).toBe(whole)
      expect(await asked(whole, dockerManifest)).toBe(whole)
      expect(await asked('1', `${dockerManifest}, ${ociManifest};q=0.9`)).toBe(digests[1])
    })

    it('of a build cache list blobs, which stay as long as the list', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      const digest = await push(ask, 'cache', config)
      const list = index([{ mediaType: mediaTypes.ociLayerGzip, digest, size: 2 }])
      expect((await put(ask, 'cache', '1', list, mediaTypes.ociIndex)).status).toBe(201)
      expect(await world.database.all('SELECT digest FROM manifest_blobs')).toEqual([{ digest }])
      const wrong = index([{ mediaType: mediaTypes.ociLayerGzip, digest, size: 3 }])
      expect((await put(ask, 'cache', '1', wrong, mediaTypes.ociIndex)).status).toBe(400)
    })
  })

  describe(`lists on ${name}`, () => {
    it('of referrers come in pages, also with a filter', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      await push(ask, 'app', config)
      const subject = { mediaType: mediaTypes.ociManifest, digest: digestOf('x'), size: 1 }
      const all = new Set<string>()
      for (let at = 0; at < 130; at++) {
        const artifactType = at % 2 === 0 ? 'text/even' : 'text/odd'
        const document = image({ artifactType, subject, annotations: { at: String(at) } })
        expect((await put(ask, 'app', `r${at}`, document)).status).toBe(201)
        all.add(digestOf(document))
      }
      const target = `/v2/app/referrers/${subject.digest}`
      const pages = await follow(ask, target, 'manifests')
      expect(pages.map(({ length }) => length)).toEqual([100, 30])
      expect(new Set(pages.flat())).toEqual(all)
      const even = await follow(ask, `${target}?artifactType=text/even&n=40`, 'manifests')
      expect(even.map(({ length }) => length)).toEqual([40, 25])
    })

    it('of referrers are not larger than a client takes', async () => {
      await using world = await openWorld()
      const ask = world.registry()
      await push(ask, 'app', config)
      const subject = { mediaType: mediaTypes.ociManifest, digest: digestOf('x'), size: 1 }
      for (let at = 0; at < 3; at++) {
        const annotations = { at: String(at), text: 'x'.repeat(1_500_000) }
        await put(ask, 'app', `r${at}`, image({ subject, annotations }))
      }
      const pages = await follow(ask, `/v2/app/referrers/${subject.digest}`, 'manifests')
      expect(pages.map(({ length }) => length)).toEqual([1, 1, 1])
    })

    it('of tags and repositories never hold more than a page', async () => {
      await using world = await openWorld()
      const ask = world.registry({ limits: { pageEntries: 10 } })
      for (let at = 0; at < 25; at++) await push(ask, `team/app-${at + 10}`, config)
      for (let at = 0; at < 25; at++) await put(ask, 'team/app-10', `t${at + 10}`, image())
      const lengths = async (target: string, key: string): Promise<readonly number[]> =>
        (await follow(ask, target, key)).map(({ length }) => length)
      expect(await lengths('/v2/team/app-10/tags/list?n=1000000', 'tags')).toEqual([10, 10, 5])
      expect(await lengths('/v2/team/app-10/tags/list?n=0', 'tags')).toEqual([0])
      expect(await lengths('/v2/_catalog?n=1000000', 'repositories')).toEqual([10, 10, 5])
      const some = world.registry({
        limits: { pageEntries: 10 },
        gate: { admit: () => ({ may: () => true, maySee: (one) => one.endsWith('7') }) },
      })
      expect(await follow(some, '/v2/_catalog?n=2', 'repositories')).toEqual([
        ['team/app-17', 'team/app-27'],
      ])
    })
  })
}

function asking(registry: Registry): Ask {
  return async (target, { body = '', headers = {} } = {}) => {
    const [method = '', url = ''] = target.split(' ')
    const mark = url.indexOf('?')
    async function* whole(): AsyncIterable<Uint8Array> {
      if (typeof body === 'string' || body instanceof Uint8Array) yield Buffer.from(body)
      else yield* body
    }
    const response = await registry.handle({
      method,
      path: mark === -1 ? url : url.slice(0, mark),
      query: new URLSearchParams(mark === -1 ? '' : url.slice(mark)),
      header: (name) => headers[name],
      body: whole(),
    })
    const content = response.body ?? new Uint8Array()
    const chunks = content instanceof Uint8Array ? [content] : await Array.fromAsync(content)
    return {
      status: response.status,
      headers: response.headers ?? {},
      text: Buffer.concat(chunks).toString(),
    }
  }
}

async function begin(ask: Ask): Promise<string> {
  const { headers } = await ask('POST /v2/app/blobs/uploads/')
  return headers['location'] ?? ''
}

async function push(ask: Ask, repository: string, body: Uint8Array): Promise<Digest> {
  const digest = digestOf(body)
  const target = `POST /v2/${repository}/blobs/uploads/?digest=${digest}`
  expect((await ask(target, { body })).status).toBe(201)
  return digest
}

function put(
  ask: Ask,
  repository: string,
  reference: string,
  body: string,
  mediaType: string = mediaTypes.ociManifest,
): Promise<Answer> {
  const headers = { 'content-type': mediaType }
  return ask(`PUT /v2/${repository}/manifests/${reference}`, { body, headers })
}

/** An image of nothing but its config. */
function image(more: object = {}): string {
  return JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: 2 },
    layers: [],
    ...more,
  })
}

function index(manifests: readonly object[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })
}

/** What all pages of a list hold, page by page. */
async function follow(
  ask: Ask,
  target: string,
  key: string,
): Promise<readonly (readonly string[])[]> {
  const pages: string[][] = []
  for (let next: string | undefined = target; next !== undefined;) {
    const { headers, text } = await ask(`GET ${next}`)
    const entries: readonly unknown[] = Object(JSON.parse(text))[key]
    pages.push(entries.map((one) => (typeof one === 'string' ? one : Object(one).digest)))
    next = /^<([^>]+)>; rel="next"$/.exec(headers['link'] ?? '')?.[1]
  }
  return pages
}

function describeChange(change: Change): string {
  const { kind, repository } = change
  if (kind === 'repository-created') return `${kind} in ${repository.namespace}`
  if (kind === 'tag-set')
    return `${kind} ${change.tag}${change.previous === undefined ? '' : ' moved'}`
  if (kind === 'tag-deleted') return `${kind} ${change.tag}`
  return 'isNew' in change && change.isNew ? `${kind} new` : kind
}
