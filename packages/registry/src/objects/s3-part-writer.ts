import type { PartTag, S3Bucket } from './s3-bucket.ts'
import type { PartMemory } from './s3-part-memory.ts'
import { isPartAlready, partBytes } from './s3-parts.ts'
import { reopenParts } from './s3-reopen.ts'

/** So many parts are on their way at once, beside the one that is gathered. */
const inFlightAtMost = 2

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
  readonly #memory: PartMemory
  readonly #name: string
  readonly #beginning: Beginning
  #id: string | undefined
  #isOpen = false
  #tags: PartTag[]
  #size: number
  readonly #sending: { readonly size: number; readonly tag: Promise<PartTag> }[] = []
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0

  constructor(
    { bucket, memory }: { readonly bucket: S3Bucket; readonly memory: PartMemory },
    name: string,
    beginning: Beginning,
    sizeBefore: number,
  ) {
    this.#bucket = bucket
    this.#memory = memory
    this.#name = name
    this.#beginning = beginning
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
      const id = await this.#open()
      await this.#memory.take(size)
      tag = this.#bucket.putPart(this.#name, id, this.#number, body)
    } catch (error) {
      this.failure = error
      throw error
    }
    // Who waits for the part hears of its failure; what failed may still be read.
    tag.then(
      () => this.#memory.giveBack(size, buffer),
      () => this.#memory.giveBack(size),
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
      const again = await reopenParts(this.#bucket, this.#name, this.#size)
      id = again.id
      this.#tags = again.tags
    }
    this.#isOpen = true
    this.#id = id
    return id
  }

  #takeBuffer(): void {
    this.#buffer = this.#memory.buffer(partBytes(this.#number))
  }
}
