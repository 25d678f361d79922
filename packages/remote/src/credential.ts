/** What a registry is told to know us. */
export type Credential =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** A long-lived token that the token service exchanges for short ones. */
  | { readonly kind: 'identity'; readonly username: string; readonly token: string }
  /** A bearer token to be sent as it is. */
  | { readonly kind: 'bearer'; readonly token: string }

/** Where credentials come from. */
export interface CredentialSource {
  /**
   * The credential for a registry (`docker.io`, `host[:port]`), the one for the longest matching path of
   * `repository` first. Undefined when there is none. Throws `CREDENTIALS_FAILED`.
   */
  get(registry: string, repository?: string): Promise<Credential | undefined>
}

/** No credentials for anybody. */
export const noCredentials: CredentialSource = { get: async () => undefined }
