/** The least that a part may have which is not the last (S3, "Multipart upload limits"). */
export const leastPartBytes = 5 * 1024 * 1024

const mebibyte = 1024 * 1024

/**
 * How much goes into a part, by its number from 1 on. Small at first, for the memory; later larger, so that the 10,000
 * parts that S3 allows hold more than a terabyte.
 */
export function partBytes(number: number): number {
  if (number <= 2000) return leastPartBytes
  if (number <= 3000) return 16 * mebibyte
  if (number <= 5000) return 64 * mebibyte
  return 192 * mebibyte
}

/**
 * Whether what a request left over becomes a part although it is not full. Otherwise it is kept beside the upload until
 * more comes: the client sends small pieces, and the parts must last.
 */
export function isPartAlready(number: number, size: number): boolean {
  return size >= partBytes(number) || (size >= leastPartBytes && number <= 4000)
}
