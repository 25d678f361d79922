import { describe, expect, it } from 'vitest'
import { formatE, formatF, formatG } from './go-float.ts'

describe('formatG', () => {
  it.each([
    [1.5, undefined, '1.5'],
    [1e20, undefined, '100000000000000000000'],
    [1e21, undefined, '1e+21'],
    [0.0001, undefined, '0.0001'],
    [0.00001, undefined, '1e-05'],
    [-0.5, undefined, '-0.5'],
    [NaN, undefined, 'NaN'],
    [Infinity, undefined, '+Inf'],
    [100.5, 3, '100'],
    [101.5, 3, '102'],
    [1234.5, 2, '1.2e+03'],
    [0, 3, '0'],
    [1e5, 6, '100000'],
    [1e6, 6, '1e+06'],
  ])('%d with %s digits is %s', (value, digits, text) => {
    expect(formatG(value, digits)).toBe(text)
  })
})

describe('formatF', () => {
  it.each([
    [1.5, 0, '2'],
    [2.5, 0, '2'],
    [0.5, 0, '0'],
    [0.51, 0, '1'],
    [0.05, 1, '0.1'],
    [0.0976, 2, '0.10'],
    [0.04, 1, '0.0'],
    [0.004, 1, '0.0'],
    [0, 2, '0.00'],
    [0, 0, '0'],
    [9.999, 2, '10.00'],
    [123.456, 6, '123.456000'],
    [-1e21, 1, '-1000000000000000000000.0'],
  ])('%d with %i digits is %s', (value, digits, text) => {
    expect(formatF(value, digits)).toBe(text)
  })
})

describe('formatE', () => {
  it.each([
    [1234.5678, 6, '1.234568e+03'],
    [0, 2, '0.00e+00'],
    [9.99, 1, '1.0e+01'],
  ])('%d with %i digits is %s', (value, digits, text) => {
    expect(formatE(value, digits)).toBe(text)
  })
})
