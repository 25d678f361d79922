import type { Action } from '../access.ts'

/** Who may come in and how they prove it. Default: the accounts of the registry's own database. */
export interface AccessOptions {
  /** Name of the service in challenges and tokens. Default `katman`. */
  readonly service?: string
  /** How long a token of the token server is good for. Default 300, at least 60. */
  readonly tokenSeconds?: number
  /** How long entries of the audit log are kept. Default 365. */
  readonly auditDays?: number
  /** Users of a file instead of accounts. */
  readonly htpasswd?: HtpasswdOptions
  /** Platforms whose workloads come in with the tokens that they are given there. */
  readonly workloads?: readonly WorkloadIssuer[]
  /** An OpenID Connect provider by which people log in, at `/login`. */
  readonly login?: LoginOptions
}

export interface HtpasswdOptions {
  /** As `htpasswd -B` writes it: bcrypt only. Read again when it changes. */
  readonly file: string
  /** Users who may administer the registry. Default: nobody. */
  readonly administrators?: readonly string[]
  /** Who may do what. Default: every user everything, nobody else anything. */
  readonly rules?: readonly HtpasswdRule[]
}

export interface HtpasswdRule {
  /** Names, or `everyone` who has a name, or `anonymous`. */
  readonly users: readonly string[]
  readonly repositories: string
  readonly actions: readonly Action[]
}

export interface WorkloadIssuer {
  /** `https://token.actions.githubusercontent.com`, as it stands in `iss`. */
  readonly issuer: string
  /** What `aud` must have. */
  readonly audience: string
  /** The first whose claims fit counts. */
  readonly identities: readonly WorkloadIdentity[]
}

interface WorkloadIdentity {
  /** At least one. `*` is any text: `{ repository: 'org/app', ref: 'refs/heads/*' }`. */
  readonly claims: Readonly<Record<string, string>>
  /** The robot or person it acts as. */
  readonly account: string
  /** Less than what that may do. */
  readonly scopes?: readonly { readonly repository: string; readonly actions: readonly Action[] }[]
}

export interface LoginOptions {
  readonly issuer: string
  readonly clientID: string
  /** The file with the secret. Default: a public client. */
  readonly clientSecretFile?: string
  /** Asked for besides `openid`. Default `profile email`. */
  readonly scope?: string
  /** The claim that an account is called by. Default `preferred_username`. */
  readonly nameClaim?: string
  /** What the claims must say, or nobody comes in: `{ groups: 'registry-users' }`. Default: nothing. */
  readonly claims?: Readonly<Record<string, string>>
  /** How long the access token at the end of a login is good for. Default 12. */
  readonly tokenHours?: number
}
