import type { Bytes } from '@katman/oci'
import { isKatmanError } from '@katman/oci'
import type { ObjectUpload } from '../object-store.ts'
import { lost, type PartTag, type S3Bucket } from './s3-bucket.ts'
import type { PartMemory } from './s3-part-memory.ts'
import { PartWriter } from './s3-part-writer.ts'
import { reopenParts } from './s3-reopen.ts'
import type { RecentTails } from './s3-tails.ts'

/** A tail up to here is part of the state itself. */
const inlineBytes = 8192

/**
 * What is stored of an upload: parts, and behind them a tail that is too small to be a part. A state stays good until
 * its successor is used, so what it names is only removed then.
 */
interface Progress {
  /** The multipart upload; undefined until there is a part. */
  readonly id: string | undefined
  readonly parts: readonly PartTag[]
  readonly tail: Tail
  /** Tails of earlier states. */
  readonly stale: readonly string[]
}

type Tail =
  | { readonly size: 0 }
  | { readonly size: number; readonly data: string }
  | { readonly size: number; readonly name: string }

/** What all uploads of a thread share. */
interface UploadParts {
  readonly bucket: S3Bucket
  readonly recent: RecentTails
  readonly memory: PartMemory
}

/** One step of an upload to S3. */
export class S3Upload {
  readonly #bucket: S3Bucket
  readonly #recent: RecentTails
  readonly #memory: PartMemory
  readonly #name: string
  readonly #upload: ObjectUpload
  readonly #randomName: () => string

  constructor(
    { bucket, recent, memory }: UploadParts,
    name: string,
    upload: ObjectUpload,
    randomName: () => string,
  ) {
    this.#bucket = bucket
    this.#recent = recent
    this.#memory = memory
    this.#name = name
    this.#upload = upload
    this.#randomName = randomName
  }

  async append(
    bytes: Bytes,
  ): Promise<{ readonly upload: ObjectUpload; readonly failure?: unknown }> {
    const { key, size } = this.#upload
    const before = readProgress(this.#upload)
    // What `before` calls stale nobody needs since `before` itself was written down.
    const left = await this.#dropTails(before.stale)
    const parts = new PartWriter(
      { bucket: this.#bucket, memory: this.#memory },
      this.#name,
      before,
      size,
    )
    let failure: unknown
    try {
      parts.start(await this.#readTail(before.tail))
      for await (const chunk of bytes) await parts.write(chunk)
    } catch (error) {
      failure = error
    }
    const rest = await parts.end()
    failure ??= parts.failure
    let tail: Tail = { size: 0 }
    try {
      if (rest.byteLength > 0) tail = await this.#storeTail(rest)
    } catch (error) {
      failure ??= error
    }
    if (parts.size + tail.size < size) {
      // Nothing could be stored: what was there is there still, the old tail with it.
      await parts.giveUp()
      return { upload: this.#upload, failure }
    }
    const stale = 'name' in before.tail ? [...left, before.tail.name] : left
    const detail = { id: parts.id, parts: parts.tags, tail, stale } satisfies Progress
    const upload = { key, size: parts.size + tail.size, detail }
    return failure === undefined ? { upload } : { upload, failure }
  }

  /** The whole object; the tails stay, so that the state can still be gone on from. */
  async complete(): Promise<void> {
    const { id, parts, tail } = readProgress(this.#upload)
    if (await this.#complete(id, parts, tail)) return
    // An earlier try may have done it, whose caller did not live to hear of it.
    if ((await this.#bucket.sizeOf(this.#name)) !== this.#upload.size) throw lost(this.#name)
  }

  async finish(): Promise<void> {
    await this.complete()
    await this.#dropTails(this.#tails())
  }

  async abort(): Promise<void> {
    const { id } = readProgress(this.#upload)
    if (id !== undefined) await this.#bucket.abortParts(this.#name, id)
    const tails = this.#tails()
    for (const name of tails) this.#recent.forget(name)
    await this.#bucket.delete([this.#name, ...tails])
  }

  async #complete(id: string | undefined, parts: readonly PartTag[], tail: Tail): Promise<boolean> {
    let last: Uint8Array
    try {
      last = await this.#readTail(tail)
    } catch (error) {
      if (isKatmanError(error, 'OBJECT_LOST')) return false
      throw error
    }
    if (id === undefined) {
      await this.#bucket.put(this.#name, last)
      return true
    }
    // Asked first: a server that has no such upload may hang up while a part is still sent.
    if (await this.#bucket.hasParts(this.#name, id)) return this.#completeParts(id, parts, last)
    // Finished by an earlier try; or to be read, and gone on with since.
    if ((await this.#bucket.sizeOf(this.#name)) === this.#upload.size) return true
    const again = await reopenParts(this.#bucket, this.#name, this.#upload.size - last.byteLength)
    return this.#completeParts(again.id, again.tags, last)
  }

  async #completeParts(id: string, parts: readonly PartTag[], last: Uint8Array): Promise<boolean> {
    const tags = [...parts]
    if (last.byteLength > 0) {
      tags.push(await this.#bucket.putPart(this.#name, id, parts.length + 1, last))
    }
    return this.#bucket.finishParts(this.#name, id, tags)
  }

  async #readTail(tail: Tail): Promise<Uint8Array> {
    if ('data' in tail) return Buffer.from(tail.data, 'base64')
    if (!('name' in tail)) return new Uint8Array()
    const recent = this.#recent.get(tail.name)
    if (recent !== undefined) return recent
    const range = { start: 0, end: tail.size }
    return Buffer.concat(await Array.fromAsync(this.#bucket.read(tail.name, range)))
  }

  async #storeTail(bytes: Uint8Array): Promise<Tail> {
    const size = bytes.byteLength
    if (size <= inlineBytes) return { size, data: Buffer.from(bytes).toString('base64') }
    const name = `tails/${this.#upload.key}/${this.#randomName()}`
    await this.#bucket.put(name, bytes)
    this.#recent.add(name, Buffer.from(bytes))
    return { size, name }
  }

  #tails(): readonly string[] {
    const { tail, stale } = readProgress(this.#upload)
    return 'name' in tail ? [...stale, tail.name] : stale
  }

  /** What stays behind costs only its place; the bucket's own rule removes it. Gives what is to be tried again. */
  async #dropTails(names: readonly string[]): Promise<readonly string[]> {
    for (const name of names) this.#recent.forget(name)
    try {
      await this.#bucket.delete(names)
      return []
    } catch {
      return names
    }
  }
}

/** A state as `append` gave it. */
function readProgress({ detail }: ObjectUpload): Progress {
  if (Object.keys(detail).length === 0) {
    return { id: undefined, parts: [], tail: { size: 0 }, stale: [] }
  }
  // Only this file writes it.
  return detail as unknown as Progress
}
