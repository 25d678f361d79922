const gibibyte = 2 ** 30

/** So much may come out of any layer: some seconds of work. */
const freeBytes = 4 * gibibyte
/** Files of code and data shrink to a third or a tenth; one in two hundred is nearly all zeros. */
const maxRatio = 200
/** No layer is larger. */
const maxBytes = 256 * gibibyte

/**
 * How many bytes a compressed layer of this many may inflate to: 4 GiB, beyond that 200 times its size, 256 GiB at most. A
 * bomb costs time: a thousand bytes come out of one byte of gzip, more out of zstd. Nothing says beforehand how large a
 * layer is (image-spec layer.md), so that only its size as it travels can be a measure.
 */
export function maxInflatedBytes(compressedBytes: number): number {
  return Math.min(Math.max(freeBytes, compressedBytes * maxRatio), maxBytes)
}
