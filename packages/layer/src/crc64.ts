/** A running CRC-64 of ECMA-182, reflected, as xz has it. */
export interface Crc64 {
  update(bytes: Uint8Array): void
  /** The eight bytes, least significant first. */
  digest(): Buffer
}

const polynomial = 0xc96c5795d7870f42n

/** Starts a CRC. It counts in two halves, for a 64-bit number would be slow. */
export function createCrc64(): Crc64 {
  const { high: tableHigh, low: tableLow } = tables()
  let high = 0xffffffff
  let low = 0xffffffff
  return {
    update(bytes) {
      for (const byte of bytes) {
        const index = (low ^ byte) & 0xff
        low = ((low >>> 8) | (high << 24)) ^ (tableLow[index] ?? 0)
        high = (high >>> 8) ^ (tableHigh[index] ?? 0)
      }
    },
    digest() {
      const result = Buffer.alloc(8)
      result.writeInt32LE(~low, 0)
      result.writeInt32LE(~high, 4)
      return result
    },
  }
}

function tables(): { readonly high: Int32Array; readonly low: Int32Array } {
  const high = new Int32Array(256)
  const low = new Int32Array(256)
  for (let index = 0; index < 256; index += 1) {
    let value = BigInt(index)
    for (let step = 0; step < 8; step += 1) {
      value = (value & 1n) === 1n ? (value >> 1n) ^ polynomial : value >> 1n
    }
    high[index] = Number(BigInt.asIntN(32, value >> 32n))
    low[index] = Number(BigInt.asIntN(32, value))
  }
  return { high, low }
}
