import { describe, expect, it } from 'vitest'
import { maxInflatedBytes } from './inflation-limit.ts'

const GiB = 2 ** 30

describe('maxInflatedBytes', () => {
  it.each([
    ['a bomb of 10 MB', 10e6, 4 * GiB],
    ['a common layer', 1 * GiB, 200 * GiB],
    ['a large one', 50 * GiB, 256 * GiB],
    ['none', 0, 4 * GiB],
  ])('limits %s', (_, size, limit) => {
    expect(maxInflatedBytes(size)).toBe(limit)
  })
})
