import { describe, expect, it } from 'vitest'
import { nobodysHash } from './nobodys-hash.ts'

describe('the hash that unknown names are compared with', () => {
  it('costs what most of the users cost', () => {
    const rest = 'a'.repeat(53)
    const cost = (...costs: readonly string[]): string | undefined =>
      nobodysHash(costs.map((one) => `$2y$${one}$${rest}`)).split('$')[2]
    expect([cost(), cost('05'), cost('05', '12', '12', '05', '12')]).toEqual(['10', '05', '12'])
    expect(nobodysHash([])).toMatch(/^\$2b\$10\$[./A-Za-z0-9]{53}$/)
  })
})
