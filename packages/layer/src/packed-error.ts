import { isKatmanError, KatmanError } from '@katman/oci'

/** An error as plain data, for the way between threads, where classes and codes get lost. */
export interface PackedError {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>
  readonly cause: string | undefined
}

export function packError(error: unknown): PackedError {
  const { name, message, cause } = error instanceof Error ? error : new Error(String(error))
  return {
    name,
    message,
    code: codeOf(error),
    hint: isKatmanError(error) ? error.hint : undefined,
    details: isKatmanError(error) ? error.details : {},
    cause: cause instanceof Error ? cause.message : undefined,
  }
}

export function unpackError(packed: PackedError): Error {
  const { name, message, hint, details } = packed
  const cause = packed.cause === undefined ? {} : { cause: new Error(packed.cause) }
  if (name === 'KatmanError') {
    const options = { details, ...cause, ...(hint !== undefined && { hint }) }
    return new KatmanError(packed.code ?? 'INDEX_WORKER_FAILED', message, options)
  }
  const error = Object.assign(new Error(message, cause), { name })
  return packed.code === undefined ? error : Object.assign(error, { code: packed.code })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
