import { escapeTerminal } from './escape.ts'
import type { RowField, RowsOptions } from './format-rows.ts'
import { goJson } from './go-json.ts'
import { goType } from './go-value.ts'
import { alignColumns } from './table.ts'
import { withTemplatePrefix } from './template-error.ts'
import { headerFunctions, type TemplateFunctions, templateFunctions } from './template-functions.ts'
import { compileTemplate } from './template.ts'

/** A list by a template, `table TEMPLATE` or `json`. See `renderRows`. */
export function renderRowTemplate<Row, Field extends string>(
  options: RowsOptions<Row, Field>,
): string {
  const { format = '' } = options
  if (format === 'json') {
    return options.rows.map((row) => `${goJson(rowValues(row, options))}\n`).join('')
  }
  const isTable = format.startsWith('table')
  const source = templateSource(format)
  return withTemplatePrefix(() => {
    const render = compileTemplate(source, { functions: rowFunctions() })
    const lines = options.rows
      .map((row) => `${render(rowStruct(row, options, isTable))}\n`)
      .join('')
    if (!isTable) return lines
    return alignColumns(`${headerLine(source, options)}\n${lines}`)
  })
}

function templateSource(format: string): string {
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
    Object.entries<RowField<Row>>(fields).map(([name, field]) => [
      name,
      (field.json ?? field.value)(row),
    ]),
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
