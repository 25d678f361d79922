import { inBlock, isIpAddress, isLoopbackHost } from './address.ts'
import type { ProxySettings } from './settings.ts'

/**
 * The proxy for a URL, or undefined to go directly. The rules are Go's (`httpproxy`): loopback is never proxied;
 * `NO_PROXY` holds `*`, addresses, CIDR blocks, `name` (also its subdomains) and `.suffix` (only subdomains),
 * each with an optional port.
 */
export function proxyFor(url: URL, settings: ProxySettings): string | undefined {
  const proxy = url.protocol === 'https:' ? settings.https : settings.http
  if (proxy === undefined || proxy === '') return undefined
  if (isLoopbackHost(url.hostname) || isExempt(url, settings.none ?? '')) return undefined
  return proxy.includes('://') ? proxy : `http://${proxy}`
}

function isExempt(url: URL, list: string): boolean {
  const host = url.hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return list.split(',').some((entry) => {
    const word = entry.trim().toLowerCase()
    if (word === '') return false
    if (word === '*') return true
    if (word.includes('/')) return isIpAddress(host) && inBlock(host, word)
    const withPort = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(word)
    if (withPort !== null && withPort[2] !== port) return false
    const name = (withPort?.[1] ?? word).replace(/^\[|\]$/g, '')
    if (isIpAddress(name)) return name === host
    const suffix = name.replace(/^\*?\./, '')
    return host.endsWith(`.${suffix}`) || (host === suffix && suffix === name)
  })
}
