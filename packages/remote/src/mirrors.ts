import { KatmanError } from '@katman/oci'
import { isLoopbackHost } from './address.ts'
import type { HostCapabilities, RegistryHost, RegistryRule, RemoteSettings } from './settings.ts'

/** A host to ask, and what the repository is called there. */
export interface Candidate {
  readonly host: RegistryHost
  /** The name its credentials are kept under. */
  readonly registry: string
  readonly repository: string
  readonly isMirror: boolean
  readonly capabilities: HostCapabilities
  /** Value of the `ns` query parameter. */
  readonly namespace: string | undefined
}

const hubHost = 'registry-1.docker.io'
const everything: HostCapabilities = { pull: true, resolve: true, push: true }
const readOnly: HostCapabilities = { pull: true, resolve: true, push: false }

/** Where a repository's content may be. */
export interface Candidates {
  /** Asked first, in this order. */
  readonly mirrors: readonly Candidate[]
  /** The registry itself. */
  readonly origin: Candidate
}

/** Finds the hosts that have a repository's content by the rules. Throws `REGISTRY_BLOCKED`. */
export function candidatesFor(
  settings: RemoteSettings,
  registry: string,
  repository: string,
): Candidates {
  const rule = findRule(settings.rules, registry, repository)
  if (rule?.blocked) {
    throw new KatmanError(
      'REGISTRY_BLOCKED',
      `registry ${rule.prefix} is blocked by registries.conf`,
      {
        hint: 'remove the block there, or name another registry',
        details: {
          prefix: rule.prefix,
          dockerMessage: `registry ${rule.prefix} is blocked`,
        },
      },
    )
  }
  const candidate = (host: RegistryHost, isMirror: boolean): Candidate => ({
    host,
    registry: isMirror ? host.host : registry,
    repository: rewritten(host, rule?.prefix ?? '', registry, repository),
    isMirror,
    capabilities: host.capabilities ?? (isMirror ? readOnly : everything),
    namespace: host.namespaceQuery ? registry : undefined,
  })
  const origin = rule?.origin ?? { host: registryHost(registry) }
  const own = candidate(origin, false)
  return {
    mirrors: (rule?.mirrors ?? []).map((host) => candidate(host, true)),
    origin: origin.host === registryHost(registry) ? own : { ...own, registry: origin.host },
  }
}

/** The host that stands for the registry itself. Throws `REGISTRY_BLOCKED`. */
export function originHost(settings: RemoteSettings, registry: string): RegistryHost {
  return candidatesFor(settings, registry, '').origin.host
}

/** Who answers a registry's search: Docker Hub has a host of its own for it. Throws `REGISTRY_BLOCKED`. */
export function searchHost(
  settings: RemoteSettings,
  registry: string,
): Pick<Candidate, 'host' | 'registry'> {
  const { origin } = candidatesFor(settings, registry, '')
  return origin.host.host === hubHost ? { ...origin, host: { host: 'index.docker.io' } } : origin
}

/** The host that serves a registry's API: `docker.io` means `registry-1.docker.io`. */
function registryHost(registry: string): string {
  return registry === 'docker.io' || registry === 'index.docker.io' ? hubHost : registry
}

function findRule(
  rules: readonly RegistryRule[],
  registry: string,
  repository: string,
): RegistryRule | undefined {
  const name = `${registry}/${repository}`
  let best: RegistryRule | undefined
  for (const rule of rules) {
    if (
      matches(rule.prefix, registry, name) &&
      (best === undefined || rule.prefix.length > best.prefix.length)
    ) {
      best = rule
    }
  }
  return best
}

function matches(prefix: string, registry: string, name: string): boolean {
  if (prefix === '*') return !isLoopbackHost(new URL(`http://${registry}`).hostname)
  if (prefix.startsWith('*.')) {
    const host = registry.replace(/:\d+$/, '')
    return host.endsWith(prefix.slice(1)) && host.length > prefix.length - 1
  }
  return name === prefix || name.startsWith(`${prefix}/`)
}

function rewritten(
  host: RegistryHost,
  prefix: string,
  registry: string,
  repository: string,
): string {
  if (host.repositoryPrefix === undefined) return repository
  const name = `${registry}/${repository}`
  const rest = prefix.startsWith('*') ? repository : name.slice(prefix.length + 1)
  return [host.repositoryPrefix, rest].filter((part) => part !== '').join('/')
}
