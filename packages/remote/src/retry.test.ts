import { KatmanError } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../test/support.ts'
import { createRetry, isTransient, parseRetryAfter, retrying } from './retry.ts'

const transient = (details: Record<string, unknown> = {}) =>
  new KatmanError('CONNECTION_LOST', 'cut', { details: { transient: true, ...details } })

describe('retrying', () => {
  it('tries six times with growing waits', async () => {
    const clock = fakeClock()
    let tries = 0
    const job = retrying({ clock, what: 'x' }, async () => {
      tries++
      throw transient()
    })
    await expect(job).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(tries).toBe(6)
    expect(clock.waits).toEqual([250, 500, 1000, 2000, 4000])
  })

  it('does not repeat what cannot get better', async () => {
    const clock = fakeClock()
    for (const status of [400, 401, 403, 404, 416]) {
      const error = new KatmanError('REGISTRY_ERROR', 'no', { details: { status } })
      await expect(retrying({ clock, what: 'x' }, () => Promise.reject(error))).rejects.toBe(error)
    }
    expect(clock.waits).toEqual([])
    expect(isTransient(new Error('x'))).toBe(false)
    for (const status of [408, 429, 500, 502, 503, 504, 522]) {
      expect(isTransient(new KatmanError('X', 'x', { details: { status } }))).toBe(true)
    }
  })

  it('honours Retry-After up to five minutes', async () => {
    const clock = fakeClock()
    const retry = createRetry({ clock, what: 'x' })
    await retry.afterFailure(transient({ retryAfterMs: 120_000 }))
    expect(clock.waits).toEqual([120_000])
    const long = transient({ retryAfterMs: 300_001 })
    await expect(retry.afterFailure(long)).rejects.toBe(long)
  })

  it('stops after ten minutes without progress, and begins anew with a byte', async () => {
    const clock = fakeClock()
    const retry = createRetry({ clock, what: 'x', attempts: 100 })
    const slow = transient({ retryAfterMs: 290_000 })
    await retry.afterFailure(slow)
    await retry.afterFailure(slow)
    retry.progress()
    await retry.afterFailure(slow)
    await retry.afterFailure(slow)
    await expect(retry.afterFailure(slow)).rejects.toBe(slow)
  })

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController()
    controller.abort(new Error('stop'))
    const retry = createRetry({ clock: fakeClock(), what: 'x', signal: controller.signal })
    await expect(retry.afterFailure(transient())).rejects.toThrow('stop')
  })
})

describe('parseRetryAfter', () => {
  it('reads seconds and dates and nothing else', () => {
    expect(parseRetryAfter('2', 0)).toBe(2000)
    expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 4000)).toBe(6000)
    expect(parseRetryAfter('Thu, 01 Jan 1970 00:00:10 GMT', 40_000)).toBe(0)
    for (const text of ['-1', '1.5', 'soon', '', '1e3', undefined]) {
      expect(parseRetryAfter(text, 0)).toBeUndefined()
    }
  })
})
