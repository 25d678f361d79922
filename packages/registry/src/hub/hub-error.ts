import { json, type RegistryResponse } from '../http.ts'

/** A failure as Docker Hub's API tells it. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly status: number
  readonly facts: Readonly<Record<string, string>>

  constructor(status: number, message: string, facts: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.facts = facts
  }
}

export function hubErrorResponse({ status, message, facts }: HubError): RegistryResponse {
  return json(status, { message, errinfo: facts })
}

/** The same for what is not there and for what the client may not see. */
export function objectNotFound(
  name: string,
  facts: Readonly<Record<string, string>> = {},
): HubError {
  const [namespace = '', ...rest] = name.slice(0, 300).split('/')
  return new HubError(404, 'object not found', { namespace, repository: rest.join('/'), ...facts })
}
