import { type Descriptor, isKatmanError, type KatmanError } from '@katman/oci'
import type { Opener, WriteOptions } from '@katman/transfer'
import type { Clock } from './clock.ts'
import { createRetry, type Retry, type RetryEvent } from './retry.ts'
import type { Session } from './session.ts'
import type { UploadEntry } from './upload-ledger.ts'
import { createUploadSession, type UploadPlace, type UploadSession } from './upload-session.ts'
import { createUploadSource } from './upload-source.ts'

/** Blobs from this size on are streamed, and remembered in the ledger: to send them twice would cost something. */
export const largeBlobBytes = 4 * 1024 * 1024

export interface UploadOptions {
  readonly session: Session
  readonly repository: string
  readonly descriptor: Descriptor
  readonly open: Opener
  readonly name: string
  readonly write: WriteOptions
  readonly clock: Clock
  readonly onEvent?: ((event: RetryEvent) => void) | undefined
  /** Another repository of the registry that may have the blob. */
  readonly mountFrom?: string | undefined
  /** Where the address is kept for the next process. */
  readonly entry?: UploadEntry | undefined
  /** Whether the registry has the blob. */
  readonly isThere: () => Promise<boolean>
}

/**
 * Uploads a blob: mounted with `mountFrom` if the registry will, a small one in one `PUT`, a large one in a stream of
 * `PATCH` and a closing `PUT`. After a cut the registry is asked how far it is and gets the rest; a session it has lost
 * is begun again. A way the registry refuses is followed by another: one `PUT`, chunks, one `POST`; one
 * that takes no body so large gets small chunks, even after it refused a stream.
 * Throws `DIGEST_MISMATCH` and `SIZE_MISMATCH` when the source does not hold what it should, and when there is no hope
 * what the registry answered last, or that the whole was too large for it.
 */
export async function uploadBlob(options: UploadOptions): Promise<'uploaded' | 'mounted'> {
  const { descriptor, write, mountFrom } = options
  const source = createUploadSource({
    descriptor,
    open: options.open,
    name: options.name,
    onSent: (bytes) => write.onProgress?.({ state: 'receiving', bytes }),
  })
  const session = createUploadSession({ ...options, source, signal: write.signal })
  const what = `upload of ${descriptor.digest}`
  const retry = createRetry({ ...options, what, signal: write.signal })
  const upload = new Upload(options, session, retry)
  try {
    const mounted = (await upload.run()) === 'mounted'
    if (mounted && mountFrom !== undefined) {
      write.onProgress?.({ state: 'mounted', from: mountFrom })
      return 'mounted'
    }
  } catch (error) {
    // What our own source did is the reason.
    throw source.failure() ?? error
  }
  write.onProgress?.({ state: 'received' })
  return 'uploaded'
}

/** One request with everything in it, a stream or chunks before the closing request, or no session at all. */
type Way = 'put' | 'patch' | 'post'
type Step = 'open' | 'status' | Way

/** How often a session may be lost, or a chunk refused for its place, without a new byte in between. */
const maxTroubles = 6
/** How often a session is waited for that another request holds. */
const maxConflicts = 4
/** How many times the blob's size may be answered for and not kept. */
const maxWaste = 4
/** The size of chunks once a stream has proved to be no good. */
const chunkBytes = 16 * 1024 * 1024

class Upload {
  readonly #options: UploadOptions
  readonly #session: UploadSession
  readonly #retry: Retry
  readonly #refused = new Map<Way, unknown>()
  #way: Way
  #step: Step = 'open'
  #place: UploadPlace | undefined
  /** The registry has to be asked where it stands. */
  #isUnsure = false
  /** The last stream or chunk broke. */
  #isBroken = false
  /** It went on from where it was last told to be, because the registry does not answer that question. */
  #hasGuessed = false
  /** All bytes were sent: the blob may be there although nobody said so. */
  #isClosing = false
  /** The largest body of one request. */
  #chunkBytes = Infinity
  /** The most bytes that the registry ever had. */
  #best = 0
  /** Bytes of chunks that were answered and not kept. */
  #wasted = 0
  #troubles = 0
  #conflicts = 0
  #mayMount = true
  /** All at once was too much after another way had been refused: small chunks are the last hope. */
  #tooLarge: KatmanError | undefined

  constructor(options: UploadOptions, session: UploadSession, retry: Retry) {
    this.#options = options
    this.#session = session
    this.#retry = retry
    this.#way = options.descriptor.size < largeBlobBytes ? 'put' : 'patch'
  }

  async run(): Promise<'uploaded' | 'mounted'> {
    await this.#resume()
    for (;;) {
      try {
        const done = await this.#advance()
        if (done !== undefined) return done
      } catch (error) {
        await this.#recover(error)
      }
    }
  }

  /** Goes on where an earlier process was stopped, if its session is still there. */
  async #resume(): Promise<void> {
    const { entry } = this.#options
    if (entry?.location === undefined) return
    try {
      this.#place = await this.#session.resume(entry.location)
      if (this.#place !== undefined) this.#way = 'patch'
    } catch (error) {
      // Whether the registry answers at all is seen when the upload begins.
      if (!isKatmanError(error)) throw error
    }
  }

  /** Takes the next step; undefined when more are to follow. */
  async #advance(): Promise<'uploaded' | 'mounted' | undefined> {
    const { descriptor, mountFrom, write } = this.#options
    if (this.#way === 'post' && this.#place === undefined) {
      this.#step = 'post'
      const answer = await this.#session.post()
      if (answer === 'done') return 'uploaded'
      // It opens sessions after all, in its own manner.
      this.#refused.set('post', undefined)
      this.#place = answer
      this.#way = this.#refused.has('put') ? 'patch' : 'put'
      return undefined
    }
    if (this.#place === undefined) {
      this.#step = 'open'
      const answer = await this.#session.open(this.#mayMount ? mountFrom : undefined)
      if (answer === 'mounted') return answer
      this.#mayMount = false
      this.#isUnsure = false
      await this.#moveTo(answer)
    } else if (this.#isUnsure) {
      return this.#ask(this.#place)
    }
    const place = this.#place
    if (place === undefined) return undefined
    if (this.#way === 'put' || place.offset === descriptor.size) {
      write.onProgress?.({ state: 'verifying' })
      this.#step = 'put'
      this.#isClosing = true
      await this.#session.put(place)
      return 'uploaded'
    }
    this.#step = 'patch'
    const limit = Math.max(this.#chunkBytes, place.minChunkBytes)
    const end = Math.min(descriptor.size, place.offset + limit)
    const next = await this.#session.patch(place, end)
    this.#wasted += end - next.offset
    // A registry that takes chunks and keeps nothing of them, or next to nothing, has to get all at once.
    const isStingy = this.#wasted > maxWaste * descriptor.size
    if (next.offset <= place.offset || isStingy) this.#refuse('patch', undefined)
    else await this.#moveTo(next)
    return undefined
  }

  /** Believes the registry alone: of a stream that broke it may have kept a part, or nothing. */
  async #ask(place: UploadPlace): Promise<'uploaded' | undefined> {
    this.#step = 'status'
    const found = await this.#session.status(place)
    this.#isUnsure = false
    const isTold = typeof found !== 'string'
    // Nothing of a whole stream was kept: chunks lose less.
    if (this.#isBroken && !(isTold && found.offset > place.offset)) {
      this.#chunkBytes = Math.min(this.#chunkBytes, chunkBytes)
    }
    this.#isBroken = false
    if (isTold) {
      await this.#moveTo(found)
    } else if (this.#isClosing && (await this.#options.isThere())) {
      return 'uploaded'
    } else if (found === 'silent' && place.offset > 0 && !this.#hasGuessed && !this.#isClosing) {
      // The chunks before were answered; if a part of this one was kept, too, the digest will be wrong and be noticed.
      this.#hasGuessed = true
    } else {
      this.#startAnew()
    }
    return undefined
  }

  async #moveTo(place: UploadPlace): Promise<void> {
    this.#place = place
    if (place.offset > this.#best) {
      this.#best = place.offset
      this.#troubles = 0
      this.#hasGuessed = false
      this.#retry.progress()
    }
    await this.#options.entry?.remember(place.url.href)
  }

  #startAnew(): void {
    this.#place = undefined
    this.#isUnsure = false
    this.#isClosing = false
  }

  /** Decides how to go on after a failure, or throws it. */
  async #recover(error: unknown): Promise<void> {
    if (!isKatmanError(error)) throw error
    this.#isBroken = this.#step === 'patch' || (this.#isBroken && this.#step === 'status')
    const { status } = error.details
    const isSession = this.#step !== 'open' && this.#step !== 'post'
    if (isSession && status === 409) {
      // An earlier request of ours has not ended there yet, and may not for minutes when its connection died silently.
      await this.#retry.afterFailure(error, { transient: true })
      if (++this.#conflicts % maxConflicts === 0) this.#startAnew()
      else this.#isUnsure = true
    } else if (isSession && (status === 404 || status === 410 || status === 416)) {
      if (++this.#troubles >= maxTroubles) throw error
      // Asked once where it stands and still of another mind: such a session cannot be saved.
      if (status === 416 && this.#troubles > 1) this.#startAnew()
      else this.#isUnsure = true
    } else if (status === 413) {
      this.#sendLess(error)
    } else if (isRefusal(error, this.#step)) {
      this.#refuse(this.#way, error)
    } else {
      await this.#retry.afterFailure(error)
      this.#isUnsure = true
    }
  }

  /** What stands before the registry takes no body of that size. */
  #sendLess(error: KatmanError): void {
    const { size } = this.#options.descriptor
    const least = Math.max(this.#place?.minChunkBytes ?? 0, 64 * 1024)
    const last = Math.min(this.#chunkBytes, size)
    const next = last > chunkBytes ? chunkBytes : Math.ceil(last / 2)
    if (this.#step === 'open' || next < least) throw error
    if (this.#refused.delete('patch')) {
      // What was refused was a stream of everything, or for once only: chunks cost little to try.
      this.#tooLarge = error
      this.#startAnew()
    }
    this.#chunkBytes = next
    this.#way = 'patch'
    this.#isUnsure = this.#place !== undefined
  }

  /** Tries another way, each once. Throws the refusal when there is none left. */
  #refuse(way: Way, error: unknown): void {
    if (way === 'patch' && this.#tooLarge !== undefined) throw this.#tooLarge
    this.#refused.set(way, error)
    // A registry that opens no session takes the blob without one, or not at all.
    const ways: readonly Way[] = this.#step === 'open' ? ['post'] : ['put', 'patch', 'post']
    const next = ways.find((one) => !this.#refused.has(one))
    if (next === undefined)
      throw error ?? [...this.#refused.values()].find((one) => one !== undefined)
    this.#way = next
    this.#startAnew()
  }
}

/** Whether a registry says that it does not do it this way. */
function isRefusal(error: KatmanError, step: Step): boolean {
  const { status, registryCodes } = error.details
  if (status === 405 || status === 501) return true
  if (step !== 'open') return status === 400 || status === 411 || status === 415
  // Other reasons to open nothing are the same for every way.
  return status === 400 && Array.isArray(registryCodes) && registryCodes.includes('DIGEST_INVALID')
}
