import { isIpAddress, isLoopbackHost } from './address.ts'

/** Registries whose token service has another registrable domain, by their makers' documentation. */
const builtInRealms: ReadonlyMap<string, readonly string[]> = new Map([
  ['registry-1.docker.io', ['auth.docker.io']],
  ['index.docker.io', ['auth.docker.io']],
])

/** Domains under which strangers get names: a shared suffix of these says nothing. */
const sharedSuffixes = new Set(
  'amazonaws.com azurecr.io azurewebsites.net azurefd.net github.io githubusercontent.com gitlab.io pages.dev workers.dev vercel.app netlify.app herokuapp.com fly.dev onrender.com cloudfront.net appspot.com run.app web.app pkg.dev cloudapp.net ngrok.io ngrok.app ngrok-free.app duckdns.org dyndns.org no-ip.org nip.io sslip.io r2.dev scw.cloud digitaloceanspaces.com ondigitalocean.app'.split(
    ' ',
  ),
)
const secondLevel = new Set(
  'ac co com edu gov go gob gouv gv id info ltd me mil muni ne net nom or org plc pol sch k12 bel av bbs biz dr gen kep name pro tel tsk tv web'.split(
    ' ',
  ),
)

/**
 * Whether a registry's credentials may be sent to the token realm it names: the same host (any port), the same
 * registrable domain, a loopback realm of a loopback registry, the pairs built in, or those in `allowed`.
 */
export function isTrustedRealm(
  registry: URL,
  realm: URL,
  allowed: readonly string[] = [],
): boolean {
  const from = registry.hostname.toLowerCase()
  const to = realm.hostname.toLowerCase()
  if (from === to) return true
  if (allowed.includes(realm.host) || allowed.includes(to)) return true
  if (isLoopbackHost(from) && isLoopbackHost(to)) return true
  if (builtInRealms.get(from)?.includes(to)) return true
  const domain = registrableDomain(from)
  return domain !== undefined && domain === registrableDomain(to)
}

/** The part of a name that its owner registered; undefined for addresses, single words and shared suffixes. */
function registrableDomain(host: string): string | undefined {
  if (isIpAddress(host)) return undefined
  const labels = host.replace(/\.$/, '').split('.')
  const [second = '', top = ''] = labels.slice(-2)
  const publicLabels = top.length === 2 && secondLevel.has(second) ? 2 : 1
  if (labels.length <= publicLabels) return undefined
  const domain = labels.slice(-publicLabels - 1).join('.')
  return sharedSuffixes.has(domain) ? undefined : domain
}
