import { assert, integer, property, string } from 'fast-check'
import { isKatmanError } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { formatGoTime, formatRfc3339, parseFilterTime, parseGoDuration } from './go-time.ts'

describe('parseGoDuration', () => {
  it.each([
    ['24h', 86_400_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['-3s', -3000],
    ['500ms', 500],
    ['0', 0],
    ['-0', 0],
    ['+5m', 300_000],
    ['.5s', 500],
    ['1.s', 1000],
    ['10us', 0.01],
    ['10µs', 0.01],
    ['0h', 0],
  ])('%s is %d ms', (text, duration) => {
    expect(parseGoDuration(text)).toBeCloseTo(duration)
  })

  it.each(['1d', '', 'h', '1', '5', '1h 2m', '1h-2m', '999999999h', '.', ' 1h', '1H', '-'])(
    '%j is none',
    (text) => {
      expect(parseGoDuration(text)).toBeUndefined()
    },
  )
})

describe('parseFilterTime', () => {
  const now = new Date('2026-11-24T12:00:00Z')

  it.each([
    ['24h', '2026-11-23T12:00:00.000Z'],
    ['-1h', '2026-11-24T13:00:00.000Z'],
    ['2024-09-06T22:20:07Z', '2024-09-06T22:20:07.000Z'],
    ['2024-09-06T22:20:07.123456789Z', '2024-09-06T22:20:07.123Z'],
    ['2024-09-06T22:20:07+03:00', '2024-09-06T19:20:07.000Z'],
    ['2024-09-06T22:20:07-05:30', '2024-09-07T03:50:07.000Z'],
    ['2024-09-06T22:20Z', '2024-09-06T22:20:00.000Z'],
    ['2024-09-06Z', '2024-09-06T00:00:00.000Z'],
    ['1725661207', '2024-09-06T22:20:07.000Z'],
    ['1725661207.25', '2024-09-06T22:20:07.250Z'],
    ['0', '2026-11-24T12:00:00.000Z'],
  ])('%s is %s', (text, time) => {
    expect(new Date(parseFilterTime(text, now)).toISOString()).toBe(time)
  })

  it('takes a time without zone as local', () => {
    expect(parseFilterTime('2024-09-06T22:20:07', now)).toBe(
      new Date(2024, 8, 6, 22, 20, 7).getTime(),
    )
    expect(parseFilterTime('2024-09-06', now)).toBe(new Date(2024, 8, 6).getTime())
  })

  it.each(['zzz', '', '2024-13-01', '2024-02-30', '2024-09-06T25:00', '1d', '20x'])(
    'refuses %j as docker does',
    (text) => {
      expect(() => parseFilterTime(text, now)).toThrow(
        expect.objectContaining({
          code: 'FILTER_INVALID',
          message: `failed to parse value as time or duration: ${JSON.stringify(text)}`,
        }),
      )
    },
  )

  it('gives a time for any text, or FILTER_INVALID', () => {
    assert(
      property(string(), (text) => {
        try {
          expect(Number.isFinite(parseFilterTime(text, now))).toBe(true)
        } catch (error) {
          expect(isKatmanError(error, 'FILTER_INVALID')).toBe(true)
        }
      }),
    )
  })

  it('reads back what formatRfc3339 writes', () => {
    assert(
      property(integer({ min: -2_000_000_000, max: 4_000_000_000 }), (seconds) => {
        expect(parseFilterTime(formatRfc3339(new Date(seconds * 1000)), now)).toBe(seconds * 1000)
      }),
    )
  })
})

describe('formatGoTime', () => {
  it('has date, time, offset and zone', () => {
    expect(formatGoTime(new Date(1_725_661_207_999))).toMatch(
      /^2024-09-0\d \d\d:\d\d:07 [-+]\d{4} \S+$/,
    )
  })
})
