import type { Bytes } from '@katman/oci'
import type { Need, Visitor } from '../access.ts'
import { isPattern, matches } from '../accounts/pattern.ts'
import type { Database } from '../database/database.ts'
import type { Face } from '../face.ts'
import type { RegistryRequest } from '../http.ts'
import { clientNetwork } from '../hub/client-network.ts'
import { Refusal } from '../refusal.ts'
import { readLastSeq } from './dispatch.ts'
import { cloudEvent, eventTypes, fullType, matchesType, type StoredEvent } from './event.ts'

export interface EventFeedOptions {
  readonly database: Database
  /** Where the registry is, as CloudEvents say it. */
  readonly source: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How often it looks for new events while somebody listens. Default 500 ms. */
  readonly pollMs?: number
  /** A comment is sent after so long without an event. Default 15 s. */
  readonly heartbeatMs?: number
  /** So many may listen at once in one process. Default 256. */
  readonly maxListeners?: number
  /** So many of them may be of one account, or without one of one address. Default 16. */
  readonly maxListenersEach?: number
}

export interface EventFeed {
  readonly face: Face
  /** Ends every stream. */
  close(): void
}

const pageSize = 100
/** Rights are asked for again after so long. */
const recheckMs = 60_000

/**
 * `GET /api/v1/events`: server-sent events, each a CloudEvent, from now on or from `Last-Event-ID` on; `repository` (a name or
 * a pattern) and `type` choose. A listener reads the database at its own pace, so a slow one costs one page of memory, and every
 * replica tells the same in the same order. Only events of repositories the client may see; rights are asked for every minute.
 */
export function createEventFeed(options: EventFeedOptions): EventFeed {
  const { database, source, now, pollMs = 500, heartbeatMs = 15_000 } = options
  const { maxListeners = 256, maxListenersEach = 16 } = options
  const waiting = new Set<() => void>()
  let listeners = 0
  const listenersOf = new Map<string, number>()
  let known = 0
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  function wakeAll(): void {
    for (const wake of waiting) wake()
    waiting.clear()
  }

  async function look(): Promise<void> {
    // A database that is away is asked again at the next look.
    const last = await readLastSeq(database).catch(() => known)
    if (last > known) {
      known = last
      wakeAll()
    }
    schedule()
  }

  function schedule(): void {
    timer = listeners > 0 && !isClosed ? setTimeout(() => void look(), pollMs).unref() : undefined
  }

  /** False when nothing came in that time. */
  function comes(after: number): Promise<boolean> {
    if (known > after || isClosed) return Promise.resolve(true)
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(beat)
        resolve(true)
      }
      const beat = setTimeout(() => {
        waiting.delete(wake)
        resolve(false)
      }, heartbeatMs).unref()
      waiting.add(wake)
    })
  }

  function join(who: string): void {
    listeners += 1
    listenersOf.set(who, (listenersOf.get(who) ?? 0) + 1)
  }

  function leave(who: string): void {
    listeners -= 1
    const left = (listenersOf.get(who) ?? 0) - 1
    if (left > 0) listenersOf.set(who, left)
    else listenersOf.delete(who)
  }

  async function* stream(
    from: number,
    isWanted: (event: StoredEvent) => boolean,
    look: {
      readonly who: string
      readonly visitor: Visitor
      readonly admit: () => Promise<Visitor>
    },
  ): AsyncGenerator<Uint8Array> {
    let { visitor } = look
    let checkedAt = now()
    let cursor = from
    try {
      yield Buffer.from('retry: 3000\n\n')
      while (!isClosed) {
        if (now() - checkedAt >= recheckMs) {
          visitor = await look.admit()
          checkedAt = now()
        }
        const rows = await database.all<StoredEvent>(eventsAfter, [cursor, pageSize])
        cursor = rows.at(-1)?.seq ?? cursor
        const text = rows
          .filter((event) => isWanted(event) && visitor.maySee(event.repository))
          .map((event) => format(event, source))
          .join('')
        if (text !== '') yield Buffer.from(text)
        if (rows.length === 0 && !(await comes(cursor))) yield Buffer.from(':\n\n')
      }
    } finally {
      leave(look.who)
    }
  }

  const need: Need = 'catalog'
  return {
    async face(request, admit) {
      if (request.path !== '/api/v1/events') return undefined
      if (request.method !== 'GET') {
        throw new Refusal(405, 'UNSUPPORTED', 'use GET', { headers: { allow: 'GET' } })
      }
      const visitor = await admit(need)
      const isWanted = readFilter(request)
      const last = await readLastSeq(database)
      const from = readPlace(request, last)
      if (listeners >= maxListeners || isClosed) {
        const reason = isClosed ? 'the server is stopping' : 'too many listen already'
        throw new Refusal(503, 'TOOMANYREQUESTS', reason, {
          headers: { 'retry-after': '30' },
        })
      }
      const who = nameOf(visitor, request)
      if ((listenersOf.get(who) ?? 0) >= maxListenersEach) {
        const reason = `${maxListenersEach} listen for you already`
        throw new Refusal(429, 'TOOMANYREQUESTS', reason, { headers: { 'retry-after': '30' } })
      }
      join(who)
      known = Math.max(known, last)
      if (timer === undefined) schedule()
      const body: Bytes = stream(from, isWanted, { who, visitor, admit: () => admit(need) })
      return {
        status: 200,
        headers: {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        },
        body,
      }
    },
    close() {
      isClosed = true
      clearTimeout(timer)
      wakeAll()
    },
  }
}

/** Whose listener it is: no account has a name with a space. */
function nameOf({ account }: Visitor, { client }: RegistryRequest): string {
  return account ?? `at ${clientNetwork(client)}`
}

function format(event: StoredEvent, source: string): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(cloudEvent(event, source))}\n\n`
}

function readFilter({ query }: RegistryRequest): (event: StoredEvent) => boolean {
  const repositories = query.getAll('repository').slice(0, 100)
  const types = query.getAll('type').slice(0, 100).map(fullType)
  const unknown = types.find((type) => !eventTypes.some((known) => known === type))
  if (unknown !== undefined) {
    throw new Refusal(400, 'UNSUPPORTED', `type is one of ${eventTypes.join(', ')}`)
  }
  if (!repositories.every(isPattern)) {
    throw new Refusal(400, 'UNSUPPORTED', 'repository is no pattern: write team/app, team/* or **')
  }
  return (event) =>
    matchesType(types, event.type) &&
    (repositories.length === 0 ||
      repositories.some((pattern) => matches(pattern, event.repository)))
}

/** After which event it goes on. What is older than what is kept begins with the oldest. */
function readPlace(request: RegistryRequest, last: number): number {
  const given = request.header('last-event-id') ?? request.query.get('last-event-id')
  if (given === null || given === '') return last
  if (/^\d{1,15}$/.test(given)) return Math.min(Number(given), last)
  throw new Refusal(400, 'UNSUPPORTED', 'last-event-id is no whole number')
}

const eventsAfter = `SELECT seq, event_id, type, repository, namespace, subject, actor, at, data
  FROM events WHERE seq > ? ORDER BY seq LIMIT ?`
