import { describe, expect, it } from 'vitest'
import { formatBinarySize, formatSize } from './size.ts'

describe('formatSize', () => {
  it.each([
    [999, '999B', '999B'],
    [1000, '1kB', '1kB'],
    [1001, '1kB', '1.001kB'],
    [999_499, '999kB', '999.5kB'],
    [999_500, '1e+03kB', '999.5kB'],
    [999_999, '1e+03kB', '1000kB'],
    [1_000_000, '1MB', '1MB'],
    [1_005_000, '1MB', '1.005MB'],
    [99_950_000, '100MB', '99.95MB'],
    [7_354_302, '7.35MB', '7.354MB'],
    [0, '0B', '0B'],
    [998_500, '998kB', '998.5kB'],
    [100_500, '100kB', '100.5kB'],
    [2 ** 53, '9.01PB', '9.007PB'],
    [1e27, '1e+03YB', '1000YB'],
  ])('%i bytes: %s and %s', (bytes, three, four) => {
    expect(formatSize(bytes, 3)).toBe(three)
    expect(formatSize(bytes)).toBe(four)
  })
})

describe('formatBinarySize', () => {
  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1KiB'],
    [679_936, '664KiB'],
    [25_275_900_000, '23.54GiB'],
  ])('%i bytes: %s', (bytes, text) => {
    expect(formatBinarySize(bytes)).toBe(text)
  })
})
