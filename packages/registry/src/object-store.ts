import type { Bytes } from '@katman/oci'

/**
 * Where the bytes of blobs are: a folder, a bucket, memory. Keys are unique for each upload, so an object is
 * written once and never changes; which digest it is, the database knows.
 */
export interface ObjectStore {
  /**
   * After so long an upload under way is written down, so that it can go on from there when its process is killed. Small
   * where that costs little. Default 30,000.
   */
  readonly checkpointMs?: number
  /** Begins an object that is not there before it is finished. Keys are lower-case hex and dashes. */
  begin(key: string): Promise<ObjectUpload>
  /**
   * Adds bytes at the end. When `bytes` fails in the middle the result keeps what arrived and says why it ended.
   * The state returned can be continued by another process.
   */
  append(
    upload: ObjectUpload,
    bytes: Bytes,
  ): Promise<{ readonly upload: ObjectUpload; readonly failure?: unknown }>
  /**
   * Whether bytes of an upload may have been lost although `append` told of them, as when the machine of a folder was switched off.
   * Then what was hashed as it came is not what is there. Default: never.
   */
  mayHaveLost?(upload: ObjectUpload): boolean
  /** The bytes so far, for a process that did not hash them as they came. */
  readUpload(upload: ObjectUpload): Bytes
  /** Makes the object whole: when this resolves a power cut cannot take it back. Once more does no harm. */
  finish(upload: ObjectUpload): Promise<void>
  /** Forgets an object that was begun, also when it was finished since. Not there is fine. */
  abort(upload: ObjectUpload): Promise<void>
  /**
   * Makes an object of a file of this machine, which stays where it is: by a second name or shared blocks where the file
   * system can, else by a copy. Nobody may change the file afterwards. Only stores on files have it.
   */
  adopt?(key: string, file: string): Promise<void>
  /**
   * The bytes from `start` up to and without `end`.
   *
   * @throws KatmanError `OBJECT_LOST` when they are not all there.
   */
  open(key: string, range: ByteRange): Bytes
  /** Removes finished objects. Not there is fine. */
  delete(keys: readonly string[]): Promise<void>
  /** Every finished object, for clean-up and recovery. */
  list(): AsyncIterable<StoredObject>
  /** What was begun and not finished, where the store cannot forget it by itself; of some of it nobody may know. */
  listUnfinished?(): AsyncIterable<StoredObject>
  /** Resolves when the store answers; for who asks whether the registry is ready. Default: it does. */
  check?(): Promise<void>
  /** A URL by which a client fetches the object itself, where the store has such; undefined otherwise. */
  linkTo?(key: string, options: LinkOptions): Promise<string | undefined>
}

/** How far an upload is. Survives JSON. */
export interface ObjectUpload {
  readonly key: string
  /** Bytes that arrived. */
  readonly size: number
  /** What the store needs besides. */
  readonly detail: Readonly<Record<string, unknown>>
}

export interface StoredObject {
  readonly key: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly modifiedAt: number
}

export interface LinkOptions {
  readonly expiresSeconds: number
  readonly contentType: string
}

/** From `start` up to and without `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}
