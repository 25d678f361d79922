import { describe, expect, it } from 'vitest'
import { matches } from './pattern.ts'
import { PatternIndex } from './pattern-index.ts'

describe('rights by pattern', () => {
  it('are found for what they are for, without a look at those of other namespaces', () => {
    const patterns = ['team/*', 'team/a/**', 'alpine', 'library/b*', '**', 't*/app', '*/x', '*']
    const index = new PatternIndex(patterns.map((pattern) => ({ pattern })))
    for (const name of [
      'team/a',
      'team/a/b',
      'alpine',
      'library/alpine',
      'busybox',
      'tt/app',
      'o/x',
    ]) {
      for (const pattern of patterns) {
        const isFound = index.some(name, (one) => one.pattern === pattern && matches(pattern, name))
        expect(isFound, `${pattern} ${name}`).toBe(matches(pattern, name))
      }
    }
    const seen: string[] = []
    index.some('team/a', ({ pattern }) => seen.push(pattern) === 0)
    expect(seen.toSorted()).toEqual(['**', '*/x', 't*/app', 'team/*', 'team/a/**'])
  })
})
