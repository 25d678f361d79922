import type { MetricsSnapshot } from './metrics.ts'
import type { TlsPair } from './listener.ts'
import type { ReplicaPlace } from './replica.ts'
import type { ServerOptions } from './server-options.ts'

/** What a thread is started with. */
export interface ThreadStart {
  readonly options: ServerOptions
  readonly place: ReplicaPlace
}

/** What the first thread sends the others. */
export type ToThread =
  | { readonly kind: 'leave' | 'drain' | 'cut' | 'close' }
  | { readonly kind: 'tls'; readonly pair: TlsPair }
  | { readonly kind: 'snapshot'; readonly id: number }
  | { readonly kind: 'metrics-text'; readonly id: number; readonly text: string }

/** What they send it. */
export type FromThread =
  | { readonly kind: 'listening' | 'drained' | 'closed' }
  | {
      readonly kind: 'failed'
      readonly code: string
      readonly message: string
      readonly hint: string | undefined
    }
  | { readonly kind: 'log' | 'warn'; readonly text: string }
  | { readonly kind: 'snapshot'; readonly id: number; readonly snapshot: MetricsSnapshot }
  | { readonly kind: 'metrics-text'; readonly id: number }
