import { familiarReference, isKatmanError, type Reference } from '@katman/oci'
import { CommandFailure, dockerText, plainFailure } from './failure.ts'

/** What docker's client says when it cannot have a manifest from a registry. */
export function manifestFailure(error: unknown, reference: Reference): CommandFailure {
  if (isKatmanError(error, 'MANIFEST_UNKNOWN') || isKatmanError(error, 'NAME_UNKNOWN')) {
    return new CommandFailure(`no such manifest: ${familiarReference(reference)}`, { cause: error })
  }
  const isUnreachable = ['CONNECTION_REFUSED', 'HOST_NOT_FOUND', 'TLS_ERROR', 'TIMEOUT'].some(
    (code) => isKatmanError(error, code),
  )
  if (!isUnreachable) return plainFailure(error)
  return new CommandFailure(
    `failed to configure transport: error pinging v2 registry: ${dockerText(error)}`,
    { cause: error },
  )
}
