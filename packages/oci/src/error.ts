/** Options of {@link KatmanError}. */
export interface KatmanErrorOptions {
  /** What the user can do next, one line. */
  readonly hint?: string
  /** The facts of the failure. Never secrets: redact before they get here. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * The one error class of Katman. `code` is stable public API (listed in `docs/errors.md`); the message says
 * what failed and on which object, `hint` what to do about it.
 */
export class KatmanError extends Error {
  override readonly name: string = 'KatmanError'
  readonly code: string
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, options: KatmanErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? {}
  }
}

/** Recognises a Katman error by shape, so that two copies of the library agree. */
export function isKatmanError(error: unknown, code?: string): error is KatmanError {
  if (!(error instanceof Error) || error.name !== 'KatmanError') return false
  return code === undefined || (error as KatmanError).code === code
}
