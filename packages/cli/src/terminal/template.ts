import { templateFunctions, type TemplateFunctions } from './template-functions.ts'
import { parseTemplate } from './template-parser.ts'
import { runTemplate } from './template-run.ts'

export { goType } from './go-value.ts'

/** Options of {@link compileTemplate}. */
export interface TemplateOptions {
  /** What errors call the template; docker's lists and `inspect` have no name. Default: empty. */
  readonly name?: string
  /** What a missing key of a map gives: `<no value>` or an error. Default: `<no value>`. */
  readonly missingKey?: 'default' | 'error'
  /** What `json` indents with. Default: all on one line. */
  readonly jsonIndent?: string
  /** The functions. Default: Go's builtins and docker's. */
  readonly functions?: TemplateFunctions
}

/** A template that is known to be well formed. Running it throws `TEMPLATE_INVALID` where Go's would fail. */
export type Template = (data: unknown) => string

/**
 * Compiles a Go `text/template`, with docker's functions. Strings, numbers, bools and null are themselves; arrays are
 * slices; Maps and plain objects are maps; an object with a {@link goType} is a struct: its getters are fields, its
 * functions methods. Throws `TEMPLATE_INVALID` (message as Go's, `details.stage` = `parse`); docker prints the
 * message behind `template parsing error: `.
 */
export function compileTemplate(text: string, options: TemplateOptions = {}): Template {
  const functions = options.functions ?? templateFunctions(options.jsonIndent)
  const names = new Set([...functions.keys(), 'and', 'or'])
  const parsed = parseTemplate(text, options.name ?? '', names)
  const missingKey = options.missingKey ?? 'default'
  return (data) => runTemplate(parsed, data, { functions, missingKey })
}

/** Compiles a template and runs it once. */
export function renderTemplate(text: string, data: unknown, options: TemplateOptions = {}): string {
  return compileTemplate(text, options)(data)
}
