import type { Digest } from '@katman/oci'
import type { Transaction } from './database/database.ts'

/** A repository as its row says. */
export interface Repository {
  readonly id: number
  readonly name: string
  /** The first part of the name; `library` for a name of one part. */
  readonly namespace: string
}

/** What a request changes. Listeners see it inside the transaction that does it. */
export type Change = ChangeKind & {
  readonly repository: Repository
  /** The account that asked; undefined for anybody without one and for the registry's own work. */
  readonly actor: string | undefined
  /** Milliseconds since 1970. */
  readonly at: number
}

export type ChangeKind =
  | { readonly kind: 'repository-created' }
  | {
      readonly kind: 'blob-linked'
      readonly digest: Digest
      readonly size: number
      /** `upload` brought the bytes, `mount` took them from another repository, `pull` from an upstream. */
      readonly how: 'upload' | 'mount' | 'pull'
      /** Whether the repository did not have it before. */
      readonly isNew: boolean
    }
  | { readonly kind: 'blob-unlinked'; readonly digest: Digest; readonly size: number }
  | {
      readonly kind: 'manifest-put'
      readonly digest: Digest
      readonly mediaType: string
      readonly artifactType: string | undefined
      readonly subject: Digest | undefined
      readonly size: number
      readonly isNew: boolean
    }
  | {
      readonly kind: 'manifest-deleted'
      readonly digest: Digest
      readonly mediaType: string
      readonly size: number
      /** The document that was deleted: its rows are gone. */
      readonly bytes: Uint8Array
    }
  | {
      readonly kind: 'tag-set'
      readonly tag: string
      readonly digest: Digest
      /** What it stood for before. */
      readonly previous: Digest | undefined
    }
  | { readonly kind: 'tag-deleted'; readonly tag: string; readonly digest: Digest }

/**
 * Is told of each change inside its transaction, after the rows were changed: what it writes is committed with
 * it, and a `Refusal` it throws undoes the whole and is the answer (an immutable tag, a full quota).
 */
export type ChangeListener = (transaction: Transaction, change: Change) => Promise<void>

/** What only reads: counted, never kept waiting. */
export interface Pull {
  readonly repository: Repository
  readonly digest: Digest
  /** The tag asked for; undefined when it was asked for by digest. */
  readonly tag: string | undefined
  readonly method: 'GET' | 'HEAD'
  readonly mediaType: string
  readonly actor: string | undefined
  readonly at: number
}
