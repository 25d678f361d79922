import { escapeTerminal } from './escape.ts'
import { goJson } from './go-json.ts'
import { goType } from './go-value.ts'
import { alignColumns } from './table.ts'
import { withTemplatePrefix } from './template-error.ts'
import { headerFunctions, type TemplateFunctions, templateFunctions } from './template-functions.ts'
import { compileTemplate } from './template.ts'

/** A field of a list: its column header and its value, always a text. */
export interface RowField<Row> {
  readonly header: string
  readonly value: (row: Row) => string
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
export function renderRows<Row, Field extends string>(options: RowsOptions<Row, Field>): string {
  const format = options.format || 'table'
  if (format === 'json') {
    return options.rows.map((row) => `${goJson(rowValues(row, options))}\n`).join('')
  }
  const isTable = format.startsWith('table') && !(format === 'table' && options.quiet !== undefined)
  const source = templateSource(format, options)
  return withTemplatePrefix(() => {
    const render = compileTemplate(source, { functions: rowFunctions() })
    const lines = options.rows
      .map((row) => `${render(rowStruct(row, options, isTable))}\n`)
      .join('')
    if (!isTable) return lines
    return alignColumns(`${headerLine(source, options)}\n${lines}`)
  })
}

function templateSource<Row, Field extends string>(
  format: string,
  options: RowsOptions<Row, Field>,
): string {
  if (format === 'table') {
    const columns = options.quiet === undefined ? options.defaultTable : [options.quiet]
    return columns.map((name) => `{{.${name}}}`).join('\t')
  }
  const source = format.startsWith('table') ? format.slice('table'.length) : format
  return source
    .replace(/^ +| +$/g, '')
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
}

function headerLine<Row, Field extends string>(
  source: string,
  { fields }: RowsOptions<Row, Field>,
): string {
  const headers = new Map(
    Object.entries<RowField<Row>>(fields).map(([name, field]) => [name, field.header]),
  )
  return compileTemplate(source, { functions: headerFunctions() })(headers)
}

/** The raw texts of a row, keys sorted as docker has them. */
function rowValues<Row, Field extends string>(
  row: Row,
  { fields }: RowsOptions<Row, Field>,
): ReadonlyMap<string, string> {
  return new Map(
    Object.entries<RowField<Row>>(fields).map(([name, field]) => [name, field.value(row)]),
  )
}

const rawValues = Symbol('rawValues')

/** The row as templates see it: fields are computed when asked for. */
function rowStruct<Row, Field extends string>(
  row: Row,
  options: RowsOptions<Row, Field>,
  isTable: boolean,
): object {
  const struct = Object.create(null, {
    [goType]: { value: options.typeName },
    [rawValues]: { get: () => rowValues(row, options) },
  }) as object
  for (const [name, field] of Object.entries<RowField<Row>>(options.fields)) {
    Object.defineProperty(struct, name, {
      enumerable: true,
      get: () => escapeTerminal(field.value(row), { newlines: !isTable }),
    })
  }
  return struct
}

/** `json` of a whole row has docker's sorted keys and HTML escapes; of one field it has not. */
function rowFunctions(): TemplateFunctions {
  const functions = new Map(templateFunctions())
  const json = functions.get('json')
  functions.set('json', {
    parameters: ['any'],
    call: (value) =>
      typeof value === 'object' && value !== null && rawValues in value
        ? goJson(value[rawValues])
        : json?.call(value),
  })
  return functions
}
