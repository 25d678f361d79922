import { displayWidth } from './display-width.ts'

const minimumWidth = 10
const padding = 3

/** Rows of cells as docker's table: see {@link alignColumns}. Each row ends in a newline. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  return layOut(rows).join('')
}

/**
 * Aligns the tab-separated cells of a text. A column is as wide as its longest cell and 3 blanks, at least 10
 * columns. The last cell of a line is not padded and is in no column; a line without a cell in a column ends that
 * column, and below it a new one begins.
 */
export function alignColumns(text: string): string {
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  const laid = layOut([...lines, last].map((line) => line.split('\t')))
  return laid.join('').slice(0, -1)
}

function layOut(rows: readonly (readonly string[])[]): string[] {
  const lines = rows.map(() => '')
  const columns = rows.reduce((most, row) => Math.max(most, row.length), 0)
  for (let column = 0; column < columns; column++) {
    for (let start = 0; start < rows.length;) {
      const end = endOfBlock(rows, column, start)
      const width = blockWidth(rows, column, start, end)
      for (let index = start; index < end; index++) {
        const cell = rows[index]?.[column] ?? ''
        lines[index] += cell + ' '.repeat(Math.max(0, width - displayWidth(cell)))
      }
      if (end === start) lines[start] += rows[start]?.[column] ?? ''
      start = Math.max(end, start + 1)
    }
  }
  return lines.map((line) => `${line}\n`)
}

/** The first row from `start` on that has no cell with a following one in this column. */
function endOfBlock(rows: readonly (readonly string[])[], column: number, start: number): number {
  let end = start
  while ((rows[end]?.length ?? 0) > column + 1) end++
  return end
}

function blockWidth(
  rows: readonly (readonly string[])[],
  column: number,
  start: number,
  end: number,
): number {
  let width = minimumWidth
  for (let index = start; index < end; index++) {
    width = Math.max(width, displayWidth(rows[index]?.[column] ?? '') + padding)
  }
  return width
}
