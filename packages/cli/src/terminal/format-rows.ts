import { escapeTerminal } from './escape.ts'
import { formatTable } from './table.ts'

/** A field of a list: its column header and its value, always a text. */
export interface RowField<Row> {
  readonly header: string
  readonly value: (row: Row) => string
  /** The text in JSON of a whole row, where docker has another one there. */
  readonly json?: (row: Row) => string
}

/** What to list, and how. */
export interface RowsOptions<Row, Field extends string = string> {
  readonly rows: readonly Row[]
  readonly fields: Readonly<Record<Field, RowField<Row>>>
  /** The columns of `table`. */
  readonly defaultTable: readonly Field[]
  /** `table`, `table TEMPLATE`, `json` or a template. Default (also when empty): `table`. */
  readonly format?: string | undefined
  /** The field `--quiet` shows alone, one a line; it counts for the plain `table` format only. */
  readonly quiet?: Field | undefined
  /** Name of the row's Go type in errors, such as `*formatter.imageContext`. */
  readonly typeName: string
}

/**
 * The text of a list command for docker's `--format`. Texts are made safe for a terminal. Throws `TEMPLATE_INVALID`
 * with docker's message; then nothing is to be printed.
 */
export async function renderRows<Row, Field extends string>(
  options: RowsOptions<Row, Field>,
): Promise<string> {
  const { rows, fields, defaultTable, quiet } = options
  const isPlain = (options.format || 'table') === 'table'
  const cells = (columns: readonly Field[]): string[][] =>
    rows.map((row) => columns.map((name) => escapeTerminal(fields[name].value(row))))
  if (isPlain && quiet === undefined) {
    return formatTable([defaultTable.map((name) => fields[name].header), ...cells(defaultTable)])
  }
  if (isPlain && quiet !== undefined) {
    return rows
      .map((row) => `${escapeTerminal(fields[quiet].value(row), { newlines: true })}\n`)
      .join('')
  }
  // The template engine is three times what a plain list needs.
  const { renderRowTemplate } = await import('./format-row-template.ts')
  return renderRowTemplate(options)
}
