import { BlockList, isIP } from 'node:net'
import { KatmanError } from '@katman/oci'

/** Tells whether an address is one of those. `proxies`: IP addresses and networks. Throws `REGISTRY_CONFIG_INVALID`. */
export function trustProxies(proxies: readonly string[]): (address: string) => boolean {
  if (proxies.length === 0) return () => false
  const list = new BlockList()
  for (const text of proxies) {
    const [address = '', bits] = text.split('/')
    const family = familyOf(address)
    const most = family === 'ipv4' ? 32 : 128
    const isNetwork = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
    if (family === undefined || !isNetwork || text.split('/').length > 2) {
      throw new KatmanError('REGISTRY_CONFIG_INVALID', `trusted proxy '${text}' is no address`, {
        hint: 'give IP addresses or networks: 10.0.0.7, 10.0.0.0/8, fd00::/8',
      })
    }
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => {
    const family = familyOf(address)
    return family !== undefined && list.check(address, family)
  }
}

/** The address as people write it: IPv4 inside IPv6 without its prefix. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/**
 * The client a chain of trusted proxies speaks for: the last address in `X-Forwarded-For` that is not one of
 * them. What stands before it is the client's own claim.
 */
export function forwardedClient(
  header: string | undefined,
  peer: string,
  isTrusted: (address: string) => boolean,
): string {
  let client = peer
  // Only the end counts, so a long header costs nothing.
  for (const part of (header ?? '').slice(-2048).split(',').toReversed()) {
    if (!isTrusted(client)) break
    const address = plainAddress(part.trim())
    if (isIP(address) === 0) break
    client = address
  }
  return client
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined
}
