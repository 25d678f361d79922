/** Cells by row and column, printed as a table of plain text. */
export class Matrix {
  readonly #rows = new Map<string, Map<string, string>>()

  set(row: string, column: string, cell: string): void {
    const cells = this.#rows.get(row) ?? new Map<string, string>()
    this.#rows.set(row, cells.set(column, cell))
  }

  toString(): string {
    const columns = [...new Set([...this.#rows.values()].flatMap((cells) => [...cells.keys()]))]
    const lines = [['', ...columns]]
    for (const [row, cells] of this.#rows) {
      lines.push([row, ...columns.map((column) => cells.get(column) ?? '')])
    }
    const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)))
    return lines
      .map((line) =>
        line
          .map((cell, at) => cell.padEnd(widths?.[at] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .join('\n')
  }
}
