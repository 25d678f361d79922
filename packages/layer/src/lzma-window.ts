/** What was unpacked last: a ring, so that matches can reach back. */
export interface LzmaWindow {
  /** Bytes since the last reset. */
  readonly position: number
  /** How many of them a match may reach. */
  readonly reach: number
  reset(): void
  /** Says how many bytes come until {@link taken}. */
  begin(count: number): void
  put(byte: number): void
  /** The byte `distance + 1` before the next. */
  back(distance: number): number
  /** Puts `length` bytes again that start `distance + 1` back. */
  repeat(distance: number, length: number): void
  /** Copies of what was put since {@link begin}. */
  taken(): readonly Uint8Array[]
}

/** Opens a window of `dictionaryBytes` (a multiple of 16). Its memory grows with what is put. */
export function createLzmaWindow(dictionaryBytes: number): LzmaWindow {
  let ring = Buffer.alloc(0)
  let at = 0
  let position = 0
  let given = 0
  let pieces: Uint8Array[] = []

  return {
    get position() {
      return position
    },
    get reach() {
      return position < dictionaryBytes ? position : dictionaryBytes
    },
    reset() {
      at = given = position = 0
    },
    begin(count) {
      pieces = []
      const needed = Math.min(dictionaryBytes, position + count)
      if (needed <= ring.length) return
      // Until the ring has its whole size nothing has gone round.
      const larger = Buffer.alloc(Math.min(dictionaryBytes, Math.max(needed, ring.length * 2)))
      ring.copy(larger, 0, 0, at)
      ring = larger
    },
    put,
    back(distance) {
      const from = at - distance - 1
      return ring[from < 0 ? from + ring.length : from] ?? 0
    },
    repeat(distance, length) {
      let from = at - distance - 1
      if (from < 0) from += ring.length
      for (let left = length; left > 0; left -= 1) {
        put(ring[from] ?? 0)
        from += 1
        if (from === ring.length) from = 0
      }
    },
    taken() {
      flush()
      return pieces
    },
  }

  function put(byte: number): void {
    ring[at] = byte
    at += 1
    position += 1
    if (at === dictionaryBytes) {
      flush()
      at = given = 0
    }
  }

  function flush(): void {
    if (at > given) pieces.push(Buffer.from(ring.subarray(given, at)))
    given = at
  }
}
