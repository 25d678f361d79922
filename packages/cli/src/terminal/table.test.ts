import { array, assert, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alignColumns, formatTable } from './table.ts'

describe('formatTable', () => {
  it('makes columns of at least ten characters and three blanks', () => {
    expect(
      formatTable([
        ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'],
        ['demo', '1', '7d784ffc6df8', '1 second ago', '7.35MB'],
        ['<none>', '<none>', 'a8abbf6d6317', '1 second ago', '4.45MB'],
        ['127.0.0.1:5101/library/alpine', '<none>', 'e971e104440e', '2 years ago', '7.08MB'],
      ]),
    ).toBe(
      [
        'REPOSITORY                      TAG       IMAGE ID       CREATED        SIZE',
        'demo                            1         7d784ffc6df8   1 second ago   7.35MB',
        '<none>                          <none>    a8abbf6d6317   1 second ago   4.45MB',
        '127.0.0.1:5101/library/alpine   <none>    e971e104440e   2 years ago    7.08MB',
        '',
      ].join('\n'),
    )
  })

  it('prints a header alone', () => {
    expect(formatTable([['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE']])).toBe(
      'REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n',
    )
  })

  it('leaves the padding before an empty last cell', () => {
    expect(
      formatTable([
        ['SIZE', 'COMMENT'],
        ['0B', ''],
      ]),
    ).toBe('SIZE      COMMENT\n0B        \n')
  })

  it('counts the columns of a terminal: wide characters take two', () => {
    expect(
      formatTable([
        ['/bin/sh -c set…', 'x'],
        ['😀😀日本', 'y'],
      ]),
    ).toBe('/bin/sh -c set…   x\n😀😀日本          y\n')
  })

  it('keeps every cell, in order', () => {
    const cell = string().map((text) => text.replace(/[\n\t]/g, ''))
    const rows = array(array(cell, { minLength: 1 }))
    assert(
      property(rows, (table) => {
        const lines = formatTable(table).split('\n').slice(0, -1)
        expect(lines).toHaveLength(table.length)
        for (const [index, row] of table.entries()) {
          expect(lines[index]?.replace(/ /g, '')).toBe(row.join('').replace(/ /g, ''))
        }
      }),
    )
  })
})

describe('alignColumns', () => {
  it('starts a new column below a line that lacks it', () => {
    expect(alignColumns('a\tb\nplain\naaaaaaaaaaaa\tb\n')).toBe(
      'a         b\nplain\naaaaaaaaaaaa   b\n',
    )
  })

  it('adds no newline that was not there', () => {
    expect(alignColumns('a\tb')).toBe('a         b')
  })
})
