import { describe, expect, it } from 'vitest'
import { limit } from './limit.ts'

describe('limit', () => {
  it('lets no more run than it says, whenever they come', async () => {
    const slot = limit(2)
    let running = 0
    let most = 0
    const job = async (): Promise<void> => {
      running++
      most = Math.max(most, running)
      for (let step = 0; step < 5; step++) await Promise.resolve()
      running--
    }
    // Each comes one step later than the one before: also in the moment when a slot changes hands.
    await Promise.all(
      Array.from({ length: 100 }, async (_, steps) => {
        for (let step = 0; step < steps; step++) await Promise.resolve()
        await slot(job)
      }),
    )
    expect(most).toBe(2)
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses %d at the same time', (count) => {
    expect(() => limit(count)).toThrow(expect.objectContaining({ code: 'CONCURRENCY_INVALID' }))
  })
})
