import { KatmanError } from '@katman/oci'
import { matchesName } from './name-pattern.ts'

/** Another registry, and what is needed to speak with it. */
export interface Peer {
  /** The registry as references name it (`docker.io`, `ghcr.io`, `host:port`), and as a client names it in `ns=`. */
  readonly registry: string
  /** Where it really is, without a path. Default: `https://` and the registry. */
  readonly url?: string
  readonly username?: string
  readonly password?: string
  /** Hosts of other domains that may get the credentials because the registry says that they give its tokens. */
  readonly trustedRealms: readonly string[]
  /** Whether it may have an address of a private network. Nothing else it leads to may. Default false. */
  readonly isPrivate: boolean
}

/** Fields that have a default may be left out. */
export type PeerOptions = Partial<Peer> & Pick<Peer, 'registry'>

/** A registry whose content is cached here when somebody asks for it. */
export interface Upstream extends Peer {
  /** Its repositories are found here below this name: `hub` makes `hub/library/alpine`. Empty: below none, as a mirror. */
  readonly prefix: string
  /** Which of its repositories may be asked for, by name there (`library/*`). Default: all. */
  readonly only: readonly string[]
  /** A tag is believed so long before the registry is asked again, in seconds. Default 300. */
  readonly tagSeconds: number
  /** What is not there is believed so long, in seconds. Default 30. */
  readonly missingSeconds: number
  /** An answer about something that is cached is waited for so long, in seconds. Default 5. */
  readonly staleAfterSeconds: number
  /** Larger blobs are refused, in bytes. Default 64 GiB. */
  readonly maxBlobBytes: number
  /** What was not pulled for so long is removed, in days. Default: never. */
  readonly keepDays?: number
  /** The cached content of this upstream is kept below this size, in bytes. Default: no limit. */
  readonly keepBytes?: number
}

/** Fields that have a default may be left out. */
export type UpstreamOptions = Partial<Upstream> & Pick<Upstream, 'registry'>

/** Completes and checks one upstream. Throws `UPSTREAM_INVALID`. */
export function createUpstream(options: UpstreamOptions): Upstream {
  return {
    ...options,
    ...createPeer(options),
    prefix: options.prefix ?? '',
    only: options.only ?? [],
    tagSeconds: options.tagSeconds ?? 300,
    missingSeconds: options.missingSeconds ?? 30,
    staleAfterSeconds: options.staleAfterSeconds ?? 5,
    maxBlobBytes: options.maxBlobBytes ?? 64 * 2 ** 30,
  }
}

/** Completes and checks how another registry is spoken with. Throws `UPSTREAM_INVALID`. */
export function createPeer(options: PeerOptions): Peer & { readonly url: string } {
  const { registry, password, username } = options
  const invalid = (reason: string): KatmanError =>
    new KatmanError('UPSTREAM_INVALID', `registry ${JSON.stringify(registry)}: ${reason}`, {
      hint: 'see docs/registry/proxy.md',
      details: { registry, reason },
    })
  if (!isHost(registry)) throw invalid('its name is no host')
  const url = URL.parse(options.url ?? defaultUrl(registry))
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === ''
  if (url === null || !isBare || !/^https?:$/.test(url.protocol))
    throw invalid('its url is not https://HOST or http://HOST')
  if (url.username !== '' || url.password !== '')
    throw invalid('its url holds a user: write it as username and password')
  if (url.protocol === 'http:' && options.isPrivate !== true && password !== undefined)
    throw invalid('its password would go over the internet in clear text')
  if ((username === undefined) !== (password === undefined))
    throw invalid('a username needs a password, and a password a username')
  return {
    registry,
    url: url.origin,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    trustedRealms: options.trustedRealms ?? [],
    isPrivate: options.isPrivate ?? false,
  }
}

function isHost(text: string): boolean {
  return /^[a-z0-9.-]{1,253}(?::\d{1,5})?$|^\[[0-9a-f:.]{2,45}\](?::\d{1,5})?$/i.test(text)
}

/** Which upstream a name belongs to, and what the repository is called there. */
export interface Origin {
  readonly upstream: Upstream
  readonly repository: string
}

/** The upstream of a repository here; the longest prefix wins. */
export function originOf(upstreams: readonly Upstream[], name: string): Origin | undefined {
  let best: Upstream | undefined
  for (const upstream of upstreams) {
    const isBelow = upstream.prefix === '' || name.startsWith(`${upstream.prefix}/`)
    if (isBelow && (best === undefined || upstream.prefix.length > best.prefix.length))
      best = upstream
  }
  if (best === undefined) return undefined
  const repository = best.prefix === '' ? name : name.slice(best.prefix.length + 1)
  const isAsked = best.only.length === 0 || best.only.some((only) => matchesName(only, repository))
  return isAsked ? { upstream: best, repository } : undefined
}

/** Names of one part are Docker Hub's official images there. */
export function fullName(registry: string, repository: string): string {
  return registry === 'docker.io' && !repository.includes('/')
    ? `library/${repository}`
    : repository
}

function defaultUrl(registry: string): string {
  return `https://${registry === 'docker.io' ? 'registry-1.docker.io' : registry}`
}
