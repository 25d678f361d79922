import type { CredentialStore } from './load-credentials.ts'
import type { Remote } from './remote.ts'

export interface LoginOptions {
  /** `docker.io` or `host[:port]`. */
  readonly registry: string
  readonly username: string
  readonly password: string
  readonly signal?: AbortSignal | undefined
}

/** What a login did. */
export interface LoginResult {
  /** docker's text about plain-text storage, to be written to stderr as it is. */
  readonly warning?: string
}

/**
 * Tries a user name and password at the registry and keeps them when they are good; as an identity token when the
 * token service gives one. Throws `UNAUTHORIZED` (with docker's text in `details.dockerMessage`) and what
 * {@link CredentialStore.store} throws.
 */
export async function login(
  remote: Remote,
  credentials: Pick<CredentialStore, 'store'>,
  options: LoginOptions,
): Promise<LoginResult> {
  const { registry, username, password } = options
  const { identityToken } = await remote.authenticate(options)
  return credentials.store(
    registry,
    identityToken === undefined
      ? { kind: 'basic', username, password }
      : { kind: 'identity', username, token: identityToken },
  )
}

/** Forgets the credential of a registry; fine when there is none. */
export async function logout(
  credentials: Pick<CredentialStore, 'erase'>,
  registry: string,
): Promise<void> {
  await credentials.erase(registry)
}
