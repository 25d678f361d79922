import type { RootCertificateSources } from './root-certificates.ts'

/** Certificates for one registry host. PEM texts. */
export interface TlsSettings {
  /** Certificate authorities trusted in addition to the system's. */
  readonly ca?: readonly string[]
  /** Client certificate chain and its key. */
  readonly cert?: string
  readonly key?: string
}

/** What a mirror may be asked for (containerd `hosts.toml`, "capabilities"). */
export interface HostCapabilities {
  /** Content by digest. */
  readonly pull: boolean
  /** What a tag means. */
  readonly resolve: boolean
  readonly push: boolean
}

/** One host that serves a registry's content: the registry itself or a mirror. */
export interface RegistryHost {
  /** `host` or `host:port`, without scheme. */
  readonly host: string
  /** Fixed scheme. Unset: https, and http for loopback and insecure hosts. */
  readonly scheme?: 'http' | 'https'
  /** What comes before `/<repository>`. Default `/v2`. */
  readonly pathPrefix?: string
  /** Default: everything for a registry; pull and resolve for a mirror. */
  readonly capabilities?: HostCapabilities
  /** May speak http and show unknown certificates. Default false. */
  readonly insecure?: boolean
  /** Accept certificates nobody vouches for. Default false. */
  readonly skipVerify?: boolean
  readonly tls?: TlsSettings
  /** Replaces the rule's prefix in the repository name; unset keeps the repository as it is. */
  readonly repositoryPrefix?: string
  /** Send `ns=<registry>`, so that a mirror of several registries knows which is meant. */
  readonly namespaceQuery?: boolean
}

/** Where the content of the references that start with `prefix` really comes from. */
export interface RegistryRule {
  /**
   * `host[:port]`, `host[:port]/path`, `*.domain`, or `*` for every registry but loopback ones without a rule.
   * The longest match wins alone.
   */
  readonly prefix: string
  /** Nothing may be fetched from there. Default false. */
  readonly blocked?: boolean
  /** Asked first, in this order. */
  readonly mirrors: readonly RegistryHost[]
  /** Takes the place of the registry itself. */
  readonly origin?: RegistryHost
}

/** Proxies as the environment names them. */
export interface ProxySettings {
  readonly http?: string
  readonly https?: string
  /** Comma-separated hosts, `.suffixes`, addresses and CIDR blocks that are reached directly. */
  readonly none?: string
}

/** Everything the client needs to know about the network it lives in. Pure data. */
export interface RemoteSettings {
  /** `host[:port]`, CIDR blocks, or `*` for all: hosts that may speak http or show unknown certificates. */
  readonly insecureRegistries: readonly string[]
  /** By exact `host[:port]`. */
  readonly tls: ReadonlyMap<string, TlsSettings>
  /** Authorities trusted for every host, in addition to Node's and the system's. */
  readonly rootCertificates: RootCertificateSources
  readonly rules: readonly RegistryRule[]
  readonly proxies: ProxySettings
  /** Registry host → hosts of other domains that may get its credentials as token realm. */
  readonly trustedRealms: ReadonlyMap<string, readonly string[]>
}

/** Settings of a machine without any configuration. */
export const defaultSettings: RemoteSettings = {
  insecureRegistries: [],
  tls: new Map(),
  rootCertificates: { files: [], directories: [] },
  rules: [],
  proxies: {},
  trustedRealms: new Map(),
}
