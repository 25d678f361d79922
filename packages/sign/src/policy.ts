import type { IdentityRule } from './policy-identity.ts'

/** Bytes that a policy names: in a file, which is read when they are needed, or in the policy itself. */
export type PolicyBytes = { readonly file: string } | { readonly data: Uint8Array }

/** What an image must satisfy (containers-policy.json(5)). */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  /** Signatures of GPG, which are not checked here: no image satisfies it. */
  | { readonly type: 'signedBy' }
  | SigstoreRequirement

export interface SigstoreRequirement {
  readonly type: 'sigstoreSigned'
  /** One key each; a signature by one is enough. */
  readonly keys: readonly PolicyBytes[]
  /** Certificates instead of keys: the authority, and whom a certificate must name, as whom says. */
  readonly fulcio?: {
    readonly authority: PolicyBytes
    readonly issuer: string
    readonly subject: string
  }
  /** The keys of logs; one of them must have the signature. None: that is not asked. */
  readonly logs: readonly PolicyBytes[]
  readonly identity: IdentityRule
  /** A field of the format that is not checked here: no image satisfies the requirement. */
  readonly unsupported?: string
}

/** A policy file, read. */
export interface Policy {
  /** Where it was read. */
  readonly file: string
  readonly default: readonly Requirement[]
  /** By transport, then by scope; the scope `''` is the transport's default. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>
}
