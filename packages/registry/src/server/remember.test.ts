import { describe, expect, it } from 'vitest'
import { remember } from './remember.ts'

describe('remember', () => {
  it('answers all who ask within a second by one look, also when that fails, and looks again later', async () => {
    let clock = 0
    let looks = 0
    let fails = false
    const ask = remember(
      async () => {
        looks += 1
        if (fails) throw new Error(`look ${looks}`)
        return looks
      },
      { ms: 1000, now: () => clock },
    )
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1])
    clock = 999
    expect(await ask()).toBe(1)
    clock = 1000
    fails = true
    await expect(ask()).rejects.toThrow('look 2')
    await expect(ask()).rejects.toThrow('look 2')
    fails = false
    clock = 2000
    expect(await ask()).toBe(3)
  })

  it('waits for a look that hangs instead of beginning more of them', async () => {
    const hang = Promise.withResolvers<string>()
    let [clock, looks] = [0, 0]
    const ask = remember(
      () => {
        looks += 1
        return hang.promise
      },
      { ms: 1000, now: () => clock },
    )
    const first = ask()
    clock = 60_000
    const second = ask()
    hang.resolve('ready')
    expect([await first, await second, looks]).toEqual(['ready', 'ready', 1])
  })
})
