import { isKatmanError } from '@katman/oci'
import { CommandFailure, dockerText } from './failure.ts'
import { goJson } from './terminal/go-json.ts'
import { asGoMap } from './terminal/go-value.ts'
import { compileTemplate, type Template } from './terminal/template.ts'

/** One thing to inspect. */
export interface Inspected {
  /** The whole document, keys in docker's order. */
  readonly document: Readonly<Record<string, unknown>>
  /** What templates see first: a struct, with fields as docker's client knows them. Default: the document. */
  readonly view?: Readonly<Record<string, unknown>>
}

/** Whole documents are shown as docker's engine serves them, without the escapes of its client. */
const asServed = { escapesHtml: false }

/** What `inspect` prints, and the error that stopped it. */
export interface InspectOutput {
  readonly text: string
  readonly failure?: CommandFailure
}

/**
 * Prints documents as docker's `inspect` does: an indented array, one line for `json`, a line each for a template.
 * A template that the client's view lacks a field for is tried again on the document.
 * Throws a failure with exit code 64 for a template that is not well formed.
 */
export function renderInspect(
  format: string | undefined,
  objects: readonly Inspected[],
): InspectOutput {
  const documents = objects.map(({ document }) => document)
  if (format === undefined || format === '') {
    return { text: `${documents.length === 0 ? '[]' : goJson(documents, '    ', asServed)}\n` }
  }
  if (format === 'json') {
    return { text: `${goJson(documents, '', asServed)}\n` }
  }
  const template = inspectTemplate(format)
  let text = ''
  for (const { document, view } of objects) {
    try {
      text += `${runInspect(template, document, view)}\n`
    } catch (error) {
      return { text: `${text}\n`, failure: templateFailure(error) }
    }
  }
  return { text: objects.length === 0 ? '\n' : text }
}

/** Compiles a template of `inspect` or `version`; `name` is what errors call it. */
export function inspectTemplate(format: string, name = ''): Template {
  try {
    return compileTemplate(format, { name, missingKey: 'error' })
  } catch (error) {
    throw new CommandFailure(`template parsing error: ${dockerText(error)}`, {
      exitCode: 64,
      cause: error,
    })
  }
}

function runInspect(
  template: Template,
  document: Inspected['document'],
  view: Inspected['view'],
): string {
  if (view === undefined) return template(document)
  try {
    return template(view)
  } catch (error) {
    if (!isKatmanError(error, 'TEMPLATE_INVALID')) throw error
    return template(asGoMap(document))
  }
}

function templateFailure(error: unknown): CommandFailure {
  return new CommandFailure(`template parsing error: ${dockerText(error)}`, { cause: error })
}
