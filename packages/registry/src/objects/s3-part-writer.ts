import { lost, type PartTag, type S3Bucket } from './s3-bucket.ts'
import { isPartAlready, leastPartBytes, partBytes } from './s3-parts.ts'

/** So many parts are on their way at once, beside the one that is gathered. */
const inFlightAtMost = 2
/** How much the server copies into one part; it could be five times that. */
const copyBytes = 1024 * 1024 * 1024

interface Beginning {
  readonly id: string | undefined
  readonly parts: readonly PartTag[]
  readonly tail: { readonly size: number }
}

/** Gathers bytes into parts and sends them. A part that cannot be sent ends the upload behind the one before it. */
export class PartWriter {
  /** The first failure of the store; nothing is taken any more. */
  failure: unknown
  readonly #bucket: S3Bucket
  readonly #name: string
  readonly #beginning: Beginning
  /** How much was stored before, with the tail. */
  readonly #sizeBefore: number
  #id: string | undefined
  #isOpen = false
  #tags: PartTag[]
  #size: number
  readonly #sending: { readonly size: number; readonly tag: Promise<PartTag> }[] = []
  readonly #free: Buffer[] = []
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(bucket: S3Bucket, name: string, beginning: Beginning, sizeBefore: number) {
    this.#bucket = bucket
    this.#name = name
    this.#beginning = beginning
    this.#sizeBefore = sizeBefore
    this.#id = beginning.id
    this.#tags = [...beginning.parts]
    this.#size = sizeBefore - beginning.tail.size
  }

  get id(): string | undefined {
    return this.#id
  }

  get tags(): readonly PartTag[] {
    return this.#tags
  }

  /** How many bytes are in the parts that were stored. */
  get size(): number {
    return this.#size
  }

  /** Begins with what is behind the parts so far. */
  start(tail: Uint8Array): void {
    this.#takeBuffer()
    this.#buffer.set(tail)
    this.#length = tail.byteLength
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.byteLength;) {
      const piece = chunk.subarray(at, at + this.#buffer.byteLength - this.#length)
      this.#buffer.set(piece, this.#length)
      this.#length += piece.byteLength
      at += piece.byteLength
      if (this.#length === this.#buffer.byteLength) await this.#send()
    }
  }

  /** Waits for all parts, and gives what was too little for one. */
  async end(): Promise<Uint8Array> {
    try {
      if (this.failure === undefined && isPartAlready(this.#number, this.#length))
        await this.#send()
      while (this.#sending.length > 0) await this.#settle()
    } catch {
      // It is the failure.
    }
    return this.failure === undefined ? this.#buffer.subarray(0, this.#length) : new Uint8Array()
  }

  /** Removes a multipart upload that no state will name. */
  async giveUp(): Promise<void> {
    if (this.#id === undefined || this.#id === this.#beginning.id) return
    await this.#bucket.abortParts(this.#name, this.#id).catch(() => undefined)
  }

  get #number(): number {
    return this.#tags.length + this.#sending.length + 1
  }

  async #send(): Promise<void> {
    while (this.#sending.length >= inFlightAtMost) await this.#settle()
    if (this.failure !== undefined) throw this.failure
    const [buffer, size] = [this.#buffer, this.#length]
    const body = buffer.subarray(0, size)
    let tag: Promise<PartTag>
    try {
      tag = this.#bucket.putPart(this.#name, await this.#open(), this.#number, body)
    } catch (error) {
      this.failure = error
      throw error
    }
    // Who waits for the part hears of its failure.
    tag.then(
      () => this.#free.push(buffer),
      () => undefined,
    )
    this.#sending.push({ size, tag })
    this.#length = 0
    this.#takeBuffer()
  }

  async #settle(): Promise<void> {
    const sent = this.#sending.shift()
    if (sent === undefined) return
    try {
      const tag = await sent.tag
      if (this.failure !== undefined) return
      this.#tags.push(tag)
      this.#size += sent.size
    } catch (error) {
      this.failure ??= error
    }
  }

  /** The multipart upload, made when there is none. */
  async #open(): Promise<string> {
    let id = this.#id ?? (await this.#bucket.beginParts(this.#name))
    // Asked once, and first: a server that has no such upload may hang up while a part is still sent.
    if (!this.#isOpen && this.#id !== undefined && !(await this.#bucket.hasParts(this.#name, id))) {
      id = await this.#reopen()
    }
    this.#isOpen = true
    this.#id = id
    return id
  }

  /** The upload was finished, to read it, and now goes on: its object becomes the first parts of another. */
  async #reopen(): Promise<string> {
    if ((await this.#bucket.sizeOf(this.#name)) !== this.#sizeBefore) throw lost(this.#name)
    const id = await this.#bucket.beginParts(this.#name)
    const tags: PartTag[] = []
    try {
      for (let start = 0; start < this.#size;) {
        // The last one takes along what would be too little for a part.
        const left = this.#size - start
        const end = left < copyBytes + leastPartBytes ? this.#size : start + copyBytes
        tags.push(await this.#bucket.copyPart(this.#name, id, tags.length + 1, { start, end }))
        start = end
      }
    } catch (error) {
      await this.#bucket.abortParts(this.#name, id).catch(() => undefined)
      throw error
    }
    this.#tags = tags
    return id
  }

  #takeBuffer(): void {
    const size = partBytes(this.#number)
    const free = this.#free.pop()
    this.#buffer = free?.byteLength === size ? free : Buffer.allocUnsafeSlow(size)
  }
}
