import { isKatmanError, KatmanError } from '@katman/oci'

/**
 * An error of a template, with Go's text: `template: :1: unclosed action`. `details.stage` is `parse` or `execute`
 * (docker's `inspect` has a different exit code for each).
 */
export function templateError(message: string, stage: 'parse' | 'execute'): KatmanError {
  return new KatmanError('TEMPLATE_INVALID', message, { details: { stage } })
}

/** Runs `render` and puts docker's words before the message of a template error. */
export function withTemplatePrefix<Result>(render: () => Result): Result {
  try {
    return render()
  } catch (error) {
    if (!isKatmanError(error, 'TEMPLATE_INVALID')) throw error
    throw new KatmanError(error.code, `template parsing error: ${error.message}`, {
      details: error.details,
      cause: error,
    })
  }
}
