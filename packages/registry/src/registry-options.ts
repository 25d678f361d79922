import type { AccessOptions } from './accounts/access-options.ts'
import type { CleanupOptions } from './cleanup/cleanup-options.ts'
import type { EventOptions } from './events/events.ts'
import type { HubOptions } from './hub/hub.ts'
import type { UpstreamOptions } from './proxy/upstream.ts'
import type { ReplicationRuleOptions } from './replication/rule.ts'

/**
 * How a registry is set up. Plain data: a server hands it to its threads. Each part has one section of its own, and reads nothing
 * but it.
 */
export interface RegistryOptions {
  /** The folder of the embedded database and of the blobs. Default: everything in memory, gone at the end. */
  readonly folder?: string
  /** The URL of the database that all replicas share (see `openDatabase`). Default: in the folder. */
  readonly database?: string
  /** The `s3://` URL of the bucket with the blobs (see `parseS3Url`). Default: in the folder. */
  readonly storage?: string
  /** Sends clients to the bucket itself for blobs. Default: the registry sends all bytes. */
  readonly redirects?: RedirectOptions
  /** How clients reach the registry, without a path: `https://registry.example`. Default: as each of them asks for it. */
  readonly publicUrl?: string
  /** Everybody may do everything. Default false. */
  readonly isOpen?: boolean
  /** Whether manifests may name layers and manifests that nobody pushed. Default false. */
  readonly allowSparse?: boolean
  /** Who may come in, when the registry is not open. */
  readonly access?: AccessOptions
  /** When what is deleted. */
  readonly cleanup?: CleanupOptions
  /** What may be reached although somebody else named it: webhooks, identity providers, upstreams. */
  readonly outbound?: OutboundOptions
  readonly events?: EventOptions
  readonly hub?: HubOptions
  /** Registries whose content is cached here when somebody asks for it. */
  readonly upstreams?: readonly UpstreamOptions[]
  /** Copies between this registry and others. */
  readonly replication?: readonly ReplicationRuleOptions[]
}

interface OutboundOptions {
  /** Addresses, blocks and host names inside the network, for whatever purpose. Default: nothing but the public internet. */
  readonly allow?: readonly string[]
  /** More of them, for webhooks only: whoever administers a namespace names those. */
  readonly webhooks?: readonly string[]
  /** More of them, for identity providers only. */
  readonly login?: readonly string[]
}

export interface RedirectOptions {
  /** How long a link is good for. Default 1200. */
  readonly expiresSeconds?: number
  /** Parts of the `User-Agent` of clients that get the bytes from the registry all the same. */
  readonly neverFor?: readonly string[]
}
