import { isKatmanError, KatmanError } from '@katman/oci'

/** A failure with the exact lines and exit code docker would give. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
  readonly exitCode: number

  constructor(
    message: string,
    options: { readonly exitCode?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = options.exitCode ?? 1
  }
}

/** What docker's client prints before the message of an error that its engine found. */
export const daemonPrefix = 'Error response from daemon: '

/** The text docker has for an error: what the room noted as such, or its own message. */
export function dockerText(error: unknown): string {
  if (isKatmanError(error)) {
    const noted = error.details['dockerMessage']
    return typeof noted === 'string' ? noted : error.message
  }
  return error instanceof Error ? error.message : String(error)
}

/** An error docker's engine would find: its text behind the engine's prefix. */
export function daemonFailure(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error
  return new CommandFailure(daemonPrefix + withHint(error), { cause: error })
}

/** An error docker prints without prefix: found by the client, or inside a running stream. */
export function plainFailure(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error
  return new CommandFailure(withHint(error), { cause: error })
}

/** docker has no text for errors of our own; they end with what to do next. */
function withHint(error: unknown): string {
  const text = dockerText(error)
  if (!isKatmanError(error) || error.hint === undefined || hasDockerText(error)) return text
  return `${text}\nhint: ${error.hint}`
}

/** Codes whose message is docker's own text, so nothing may be added to it. */
const dockerCodes = new Set([
  'REFERENCE_INVALID',
  'PLATFORM_INVALID',
  'IMAGE_UNKNOWN',
  'IMAGE_CONFLICT',
  'FILTER_INVALID',
  'ARCHIVE_UNKNOWN',
  'CHANGE_INVALID',
  'DOWNLOAD_REFUSED',
])

function hasDockerText(error: KatmanError): boolean {
  return dockerCodes.has(error.code) || typeof error.details['dockerMessage'] === 'string'
}
