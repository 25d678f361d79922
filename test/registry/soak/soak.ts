import { Caller, NoAnswer } from './caller.ts'
import {
  digestOf,
  makeBlob,
  makeImage,
  makeIndex,
  makeReferrer,
  type SoakBlob,
  type SoakManifest,
} from './content.ts'
import { Turns } from './turns.ts'

export interface SoakOptions {
  readonly port: number
  /** API calls to make at least. */
  readonly calls: number
  readonly clients: number
  /** Between 0 and 1, the same for the same seed. */
  readonly random: () => number
  /** Resolves when the server answers (again). */
  readonly whenUp: () => Promise<void>
  /** Called after each action with the calls answered so far. */
  readonly onProgress?: (calls: number) => void
}

export interface SoakReport {
  readonly calls: number
  readonly actions: Readonly<Record<string, number>>
  /** Writes of which nobody knows whether they were done, because the server was killed. */
  readonly unknown: number
  /** What the registry did that the model forbids. */
  readonly violations: readonly string[]
}

/** What a tag may stand for: one digest, or undefined for no such tag; several after a write without an answer. */
type Possible = ReadonlySet<string | undefined>

interface Shelf {
  readonly name: string
  readonly turns: Turns
  readonly tags: Map<string, { possible: Possible; readonly turns: Turns }>
}

const repositoryCount = 8
const tagCount = 40
const imageCount = 300

/**
 * Many clients push, pull, move, mount and delete at random, while a model in memory knows what must be there. What
 * a tag leads to must be whole and the very bytes; what was deleted must be gone; what nobody names may go.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const world = new World(options)
  await Promise.all(Array.from({ length: options.clients }, () => world.client()))
  await world.sweep()
  return world.report()
}

class World implements Disposable {
  readonly #options: SoakOptions
  readonly #caller: Caller
  readonly #shelves: readonly Shelf[]
  readonly #known = new Map<string, SoakManifest>()
  readonly #actions: Record<string, number> = {}
  readonly #violations: string[] = []
  #unknown = 0
  #serial = 0

  constructor(options: SoakOptions) {
    this.#options = options
    this.#caller = new Caller(options.port)
    this.#shelves = Array.from({ length: repositoryCount }, (_, at) => ({
      name: at === 0 ? 'solo' : `team-${at % 3}/app-${at}`,
      turns: new Turns(),
      tags: new Map(
        Array.from({ length: tagCount }, (_none, tag) => [
          `v${tag}`,
          { possible: new Set([undefined]), turns: new Turns() },
        ]),
      ),
    }))
  }

  [Symbol.dispose](): void {
    this.#caller[Symbol.dispose]()
  }

  async client(): Promise<void> {
    const { calls, whenUp, onProgress } = this.#options
    while (this.#caller.answered < calls) {
      await whenUp()
      await this.#attempt(() => this.#act())
      onProgress?.(this.#caller.answered)
    }
  }

  /** Pulls everything once more, alone. */
  async sweep(): Promise<void> {
    await this.#options.whenUp()
    for (const shelf of this.#shelves) {
      for (const tag of shelf.tags.keys()) await this.#attempt(() => this.#pull(shelf, tag))
      await this.#attempt(() => this.#list(shelf))
    }
  }

  report(): SoakReport {
    this.#caller[Symbol.dispose]()
    return {
      calls: this.#caller.answered,
      actions: this.#actions,
      unknown: this.#unknown,
      violations: this.#violations,
    }
  }

  /** What ends an action without an answer is the kill; anything else is a finding. */
  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      if (!(error instanceof NoAnswer)) this.#violations.push(String(error))
    }
  }

  async #act(): Promise<void> {
    const shelf = this.#pick(this.#shelves)
    const tag = `v${this.#number(tagCount)}`
    const actions: readonly (readonly [number, string, () => Promise<void>])[] = [
      [24, 'push', () => this.#push(shelf, tag, makeImage(this.#number(imageCount)))],
      [5, 'push-mounted', () => this.#push(shelf, tag, makeImage(this.#number(imageCount)), true)],
      [4, 'push-index', () => this.#push(shelf, tag, this.#index())],
      [30, 'pull', () => this.#pull(shelf, tag)],
      [10, 'head', () => this.#head(shelf, tag)],
      [6, 'delete-tag', () => this.#deleteTag(shelf, tag)],
      [2, 'delete-manifest', () => this.#deleteManifest(shelf, tag)],
      [6, 'loose-blob', () => this.#looseBlob(shelf)],
      [4, 'referrer', () => this.#referrer(shelf, tag)],
      [3, 'list', () => this.#list(shelf)],
      [2, 'abandon', () => this.#abandon(shelf)],
    ]
    let at = this.#number(actions.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, name, run] of actions) {
      at -= weight
      if (at >= 0) continue
      this.#actions[name] = (this.#actions[name] ?? 0) + 1
      return run()
    }
  }

  #push(shelf: Shelf, tag: string, manifest: SoakManifest, mounts = false): Promise<void> {
    return this.#withTag(shelf, tag, async (entry) => {
      await this.#addContent(shelf, manifest, mounts)
      await this.#write(entry, manifest.digest, () => this.#putManifest(shelf, tag, manifest))
    })
  }

  async #addContent(
    shelf: Shelf,
    { blobs, children }: SoakManifest,
    mounts: boolean,
  ): Promise<void> {
    for (const child of children) {
      await this.#addContent(shelf, child, mounts)
      await this.#putManifest(shelf, child.digest, child)
    }
    for (const blob of blobs) {
      // As docker does: what is said to be there is not sent.
      const head = await this.#call('HEAD', `${shelf.name}/blobs/${blob.digest}`, [200, 404])
      if (head.status === 200) continue
      if (mounts && (await this.#mount(shelf, blob))) continue
      await this.#addBlob(shelf, blob)
    }
  }

  async #mount(shelf: Shelf, blob: SoakBlob): Promise<boolean> {
    const from = encodeURIComponent(this.#pick(this.#shelves).name)
    const target = `${shelf.name}/blobs/uploads/?mount=${blob.digest}&from=${from}`
    const answer = await this.#call('POST', target, [201, 202], Buffer.alloc(0))
    if (answer.status === 201) return true
    await this.#caller.call({ method: 'DELETE', path: String(answer.headers.location) })
    return false
  }

  async #addBlob(shelf: Shelf, { digest, bytes }: SoakBlob): Promise<void> {
    const uploads = `${shelf.name}/blobs/uploads/`
    if (this.#number(3) === 0) {
      await this.#call('POST', `${uploads}?digest=${digest}`, [201], bytes)
      return
    }
    const started = await this.#call('POST', uploads, [202], Buffer.alloc(0))
    let path = String(started.headers.location)
    const cut = this.#number(bytes.byteLength)
    const patched = await this.#caller.call({ method: 'PATCH', path, body: bytes.subarray(0, cut) })
    if (patched.status !== 202) throw new Error(`PATCH of an upload: ${describe(patched)}`)
    path = String(patched.headers.location)
    const closed = await this.#caller.call({
      method: 'PUT',
      path: `${path}${path.includes('?') ? '&' : '?'}digest=${digest}`,
      body: bytes.subarray(cut),
    })
    if (closed.status !== 201) throw new Error(`closing an upload: ${describe(closed)}`)
  }

  async #putManifest(shelf: Shelf, reference: string, manifest: SoakManifest): Promise<void> {
    this.#known.set(manifest.digest, manifest)
    await this.#call('PUT', `${shelf.name}/manifests/${reference}`, [201], manifest.bytes, {
      'content-type': manifest.mediaType,
    })
  }

  #pull(shelf: Shelf, tag: string): Promise<void> {
    return this.#withTag(shelf, tag, async (entry) => {
      const where = `${shelf.name}:${tag}`
      const answer = await this.#call('GET', `${shelf.name}/manifests/${tag}`, [200, 404])
      const found = answer.status === 404 ? undefined : digestOf(answer.body)
      if (!entry.possible.has(found)) {
        throw new Error(
          `${where} is ${String(found)}, not ${[...entry.possible].map(String).join(' or ')}`,
        )
      }
      entry.possible = new Set([found])
      if (found === undefined) return
      if (answer.headers['docker-content-digest'] !== found)
        throw new Error(`${where}: wrong digest header`)
      const manifest = this.#known.get(found)
      if (manifest === undefined) throw new Error(`${where}: a manifest nobody pushed`)
      await this.#checkContent(shelf, manifest, where)
    })
  }

  async #checkContent(
    shelf: Shelf,
    { blobs, children }: SoakManifest,
    where: string,
  ): Promise<void> {
    for (const child of children) {
      const answer = await this.#call(
        'GET',
        `${shelf.name}/manifests/${child.digest}`,
        [200],
        undefined,
        {},
        where,
      )
      if (!answer.body.equals(child.bytes)) throw new Error(`${where}: wrong bytes of a platform`)
      await this.#checkContent(shelf, child, where)
    }
    for (const blob of blobs) {
      const answer = await this.#call(
        'GET',
        `${shelf.name}/blobs/${blob.digest}`,
        [200],
        undefined,
        {},
        where,
      )
      if (!answer.body.equals(blob.bytes)) throw new Error(`${where}: wrong bytes of a blob`)
    }
  }

  #head(shelf: Shelf, tag: string): Promise<void> {
    return this.#withTag(shelf, tag, async (entry) => {
      const answer = await this.#call('HEAD', `${shelf.name}/manifests/${tag}`, [200, 404])
      const found =
        answer.status === 404 ? undefined : String(answer.headers['docker-content-digest'])
      if (!entry.possible.has(found))
        throw new Error(`HEAD ${shelf.name}:${tag} is ${String(found)}`)
    })
  }

  #deleteTag(shelf: Shelf, tag: string): Promise<void> {
    return this.#withTag(shelf, tag, async (entry) => {
      const mayBeGone = entry.possible.has(undefined)
      await this.#write(entry, undefined, () =>
        this.#call('DELETE', `${shelf.name}/manifests/${tag}`, mayBeGone ? [202, 404] : [202]),
      )
    })
  }

  /** By digest: every tag that stands for it goes too, so nobody else may be in the repository. */
  #deleteManifest(shelf: Shelf, tag: string): Promise<void> {
    return shelf.turns.alone(async () => {
      const [digest, ...others] = shelf.tags.get(tag)?.possible ?? []
      if (digest === undefined || others.length > 0 || this.#isChild(shelf, digest)) return
      const entries = [...shelf.tags.values()].filter(({ possible }) => possible.has(digest))
      const before = entries.map(({ possible }) => possible)
      const without = before.map(
        (possible) =>
          new Set(
            possible.size === 1
              ? [undefined]
              : [...possible].map((one) => (one === digest ? undefined : one)),
          ),
      )
      try {
        await this.#call('DELETE', `${shelf.name}/manifests/${digest}`, [202])
        entries.forEach((entry, at) => (entry.possible = without[at] ?? entry.possible))
        await this.#call('HEAD', `${shelf.name}/manifests/${digest}`, [404])
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        this.#unknown++
        entries.forEach(
          (entry, at) =>
            (entry.possible = new Set([...(before[at] ?? []), ...(without[at] ?? [])])),
        )
        throw error
      }
    })
  }

  /** Deleting it would break an index, which the API allows and its users must not do. */
  #isChild(shelf: Shelf, digest: string): boolean {
    return [...shelf.tags.values()]
      .flatMap(({ possible }) => [...possible])
      .some((parent) => {
        const children = parent === undefined ? [] : (this.#known.get(parent)?.children ?? [])
        return children.some((child) => child.digest === digest)
      })
  }

  /** A blob of one client alone: there after its push, gone after its delete. */
  async #looseBlob(shelf: Shelf): Promise<void> {
    const blob = makeBlob(`loose ${this.#serial++}`)
    const path = `${shelf.name}/blobs/${blob.digest}`
    await this.#addBlob(shelf, blob)
    const answer = await this.#call('GET', path, [200])
    if (!answer.body.equals(blob.bytes)) throw new Error(`${path}: wrong bytes`)
    const middle = await this.#call('GET', path, [206], undefined, { range: 'bytes=5-9' })
    if (!middle.body.equals(blob.bytes.subarray(5, 10))) throw new Error(`${path}: wrong range`)
    await this.#call('DELETE', path, [202])
    await this.#call('HEAD', path, [404])
  }

  #referrer(shelf: Shelf, tag: string): Promise<void> {
    return this.#withTag(shelf, tag, async (entry) => {
      const [digest, ...others] = entry.possible
      const subject =
        digest === undefined || others.length > 0 ? undefined : this.#known.get(digest)
      if (subject === undefined) return
      const referrer = makeReferrer(subject, String(this.#number(50)))
      await this.#addContent(shelf, referrer, false)
      await this.#putManifest(shelf, referrer.digest, referrer)
      const answer = await this.#call('GET', `${shelf.name}/referrers/${subject.digest}`, [200])
      if (!answer.body.includes(referrer.digest))
        throw new Error(`${shelf.name}:${tag}: a referrer is not listed`)
    })
  }

  #list(shelf: Shelf): Promise<void> {
    return shelf.turns.alone(async () => {
      const answer = await this.#call('GET', `${shelf.name}/tags/list`, [200, 404])
      const listed: ReadonlySet<string> = new Set(
        answer.status === 404
          ? []
          : (JSON.parse(answer.body.toString()) as { tags: string[] }).tags,
      )
      for (const [tag, { possible }] of shelf.tags) {
        if (possible.has(undefined) ? possible.size === 1 && listed.has(tag) : !listed.has(tag)) {
          throw new Error(`the list of ${shelf.name} is wrong about ${tag}`)
        }
      }
    })
  }

  async #abandon(shelf: Shelf): Promise<void> {
    const started = await this.#call('POST', `${shelf.name}/blobs/uploads/`, [202], Buffer.alloc(0))
    await this.#caller.call({
      method: 'PATCH',
      path: String(started.headers.location),
      body: Buffer.alloc(1000),
    })
  }

  async #write(
    entry: { possible: Possible },
    next: string | undefined,
    work: () => Promise<unknown>,
  ): Promise<void> {
    try {
      await work()
      entry.possible = new Set([next])
    } catch (error) {
      if (error instanceof NoAnswer) {
        this.#unknown++
        entry.possible = new Set([...entry.possible, next])
      }
      throw error
    }
  }

  #withTag(
    shelf: Shelf,
    tag: string,
    work: (entry: { possible: Possible }) => Promise<void>,
  ): Promise<void> {
    const entry = shelf.tags.get(tag)
    if (entry === undefined) throw new TypeError(`no tag ${tag}`)
    return shelf.turns.shared(() => entry.turns.alone(() => work(entry)))
  }

  async #call(
    method: string,
    target: string,
    expected: readonly number[],
    body?: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
    where = '',
  ): ReturnType<Caller['call']> {
    const answer = await this.#caller.call({
      method,
      path: `/v2/${target}`,
      headers: { accept: '*/*', ...headers },
      ...(body === undefined ? {} : { body }),
    })
    if (expected.includes(answer.status)) return answer
    throw new Error(
      `${where} ${method} ${target}: ${describe(answer)}, not ${expected.join(' or ')}`,
    )
  }

  #index(): SoakManifest {
    return makeIndex([makeImage(this.#number(imageCount)), makeImage(this.#number(imageCount))])
  }

  #number(below: number): number {
    return Math.floor(this.#options.random() * below)
  }

  #pick<T>(from: readonly T[]): T {
    const one = from[this.#number(from.length)]
    if (one === undefined) throw new TypeError('nothing to pick from')
    return one
  }
}

function describe(answer: { readonly status: number; readonly body: Buffer }): string {
  return `${answer.status} ${answer.body.toString('utf8', 0, 300)}`
}
