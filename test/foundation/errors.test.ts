import { describe, expect, it } from 'vitest'

import { codesOf, listDocumentedCodes, listErrorCodes } from '../../scripts/list-errors.ts'

const documented = listDocumentedCodes()

describe('error codes', () => {
  it('are found as literals, through helpers and through names', () => {
    expect(codesOf("throw new KatmanError('A_B', 'x')")).toEqual(['A_B'])
    expect(codesOf("throw new KatmanError(\n  'AA',\n  'x',\n)")).toEqual(['AA'])
    expect(codesOf("new KatmanError(x === 'NO' ? 'AA' : 'B_C', 'x')")).toEqual(['AA', 'B_C'])
    expect(codesOf("const code = 'C_D'\nthrow new KatmanError(code, 'x')")).toEqual(['C_D'])
    const helper = "function fail(code: string): Error {}\nfail('E_F', x)\nother('NO', x)"
    expect(codesOf(helper)).toEqual(['E_F'])
    expect(codesOf("// new KatmanError('NO_NO', 'x')")).toEqual([])
  })

  it('look alike', () => {
    const odd = listErrorCodes().filter(({ code }) => !/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/.test(code))
    expect(odd).toEqual([])
  })

  it('have their row in docs/errors.md, and no other row is there', () => {
    const made = listErrorCodes().map(({ code }) => code)
    expect(documented?.toSorted()).toEqual(made)
  })
})
