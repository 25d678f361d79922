import { describe, expect, it } from 'vitest'
import { formatAge } from './age.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('formatAge', () => {
  it.each([
    [-5 * day, 'Less than a second'],
    [0, 'Less than a second'],
    [999, 'Less than a second'],
    [second, '1 second'],
    [59.9 * second, '59 seconds'],
    [minute, 'About a minute'],
    [2 * minute - 1, 'About a minute'],
    [2 * minute, '2 minutes'],
    [59 * minute, '59 minutes'],
    [hour, 'About an hour'],
    [1.49 * hour, 'About an hour'],
    [1.5 * hour, '2 hours'],
    [47.4 * hour, '47 hours'],
    [47.5 * hour, '2 days'],
    [13.9 * day, '13 days'],
    [14 * day, '2 weeks'],
    [59 * day, '8 weeks'],
    [60 * day, '2 months'],
    [729 * day, '24 months'],
    [730 * day, '2 years'],
    [9000 * day, '24 years'],
  ])('%i ms: %s', (duration, text) => {
    expect(formatAge(duration)).toBe(text)
  })
})
