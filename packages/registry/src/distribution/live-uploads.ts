import type { DigestAlgorithm } from '@katman/oci'
import type { UploadRow } from '../metadata/uploads.ts'
import { otherWriter } from './store-blob.ts'
import { UploadHash } from './upload-hash.ts'

/** What a process knows of an upload besides its row. */
export interface LiveUpload {
  /** Of all bytes so far, when all of them came through this process. */
  hash: UploadHash | undefined
  /** The row for which that holds. */
  epoch: number
  size: number
  /** How many bytes there are with those of the request under way; undefined when there is none. */
  arriving: (() => number) | undefined
}

/** So many are remembered; the bytes of others are read again when they are closed. */
const remembered = 1000

/** The uploads that this process takes part in. */
export class LiveUploads {
  readonly #uploads = new Map<string, LiveUpload>()
  readonly #busy = new Set<string>()

  begin(
    { id, epoch, size }: Pick<UploadRow, 'id' | 'epoch' | 'size'>,
    algorithm: DigestAlgorithm,
  ): LiveUpload {
    const hash = size === 0 ? new UploadHash(algorithm) : undefined
    const live: LiveUpload = { hash, epoch, size, arriving: undefined }
    this.#uploads.set(id, live)
    if (this.#uploads.size > remembered) this.#forgetOldest()
    return live
  }

  /** How far an upload is, with what is not written down yet. */
  position({ id, size }: UploadRow): number {
    return this.#uploads.get(id)?.arriving?.() ?? size
  }

  /** Lets one request at a time work on an upload: two would mix their bytes. */
  async exclusively<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy.has(id)) throw otherWriter()
    this.#busy.add(id)
    try {
      return await work()
    } finally {
      this.#busy.delete(id)
      const live = this.#uploads.get(id)
      if (live !== undefined) live.arriving = undefined
    }
  }

  /** What is known of an upload: nothing when somebody else went on with it. */
  of(row: UploadRow, algorithm: DigestAlgorithm): LiveUpload {
    const known = this.#uploads.get(row.id)
    // Of an empty one nothing is hashed yet: the newest request says how.
    const isSame = known?.epoch === row.epoch && known.size === row.size && row.size > 0
    return isSame ? known : this.begin(row, algorithm)
  }

  forget(id: string): void {
    this.#uploads.delete(id)
  }

  #forgetOldest(): void {
    for (const id of this.#uploads.keys()) {
      if (this.#busy.has(id)) continue
      this.#uploads.delete(id)
      return
    }
  }
}
