import { describe, expect, it } from 'vitest'
import { editDistance, suggestNames } from './suggest.ts'

const names = ['build', 'images', 'image', 'pull', 'push', 'rm', 'rmi', 'tag', 'tags']

describe('suggestNames', () => {
  it.each([
    ['pul', ['pull', 'push']],
    ['plul', ['pull']],
    ['imgaes', ['images', 'image']],
    ['IMAGES', ['images', 'image']],
    ['tga', ['tag', 'tags']],
    ['bu', ['build']],
    ['zzzzzz', []],
    ['', []],
  ])('%s → %j', (word, expected) => {
    expect(suggestNames(word, names)).toEqual(expected)
  })
})

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['a', '', 1],
    ['ab', 'ba', 1],
    ['abc', 'acb', 1],
    ['pull', 'push', 2],
    ['kitten', 'sitting', 3],
    ['abc', 'xyz', 3],
    ['a', 'abcdef', 3],
  ])('%s and %s: %i', (left, right, distance) => {
    expect(editDistance(left, right)).toBe(distance)
    expect(editDistance(right, left)).toBe(distance)
  })
})
