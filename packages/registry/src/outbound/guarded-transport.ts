import {
  createHttpTransport,
  type HttpTransport,
  type HttpTransportOptions,
  inBlock,
  isIpAddress,
  isPrivateAddress,
} from '@katman/remote'
import { KatmanError } from '@katman/oci'

export interface GuardOptions {
  /**
   * What may be reached although it is not on the public internet: addresses (`10.1.2.3`), blocks (`10.0.0.0/8`, `fd00::/8`) and
   * exact host names (`hooks.internal`). Default: nothing.
   */
  readonly allow?: readonly string[]
  /** Waits of a connection. */
  readonly limits?: HttpTransportOptions['limits']
  /** Authorities trusted besides Node's. */
  readonly rootCertificates?: HttpTransportOptions['rootCertificates']
}

/** Public by its number, but a machine's own cloud answers there. */
const cloudAddresses = ['168.63.129.16', 'fd00:ec2::254']

/**
 * IPv6 that a translator or a tunnel in the network may carry to any IPv4 address, also to one inside: translated (RFC 2765), NAT64
 * of a network's own (RFC 8215), Teredo (RFC 4380).
 */
const translatedBlocks = ['::ffff:0:0:0/96', '64:ff9b:1::/48', '2001::/32']

/**
 * The one way by which the registry reaches what others name: webhooks, identity providers, upstreams. Loopback, private and link-local
 * addresses are refused unless allowed; the address that is dialled is the one that was checked, so a name cannot change in between.
 * It uses no proxy.
 *
 * @throws KatmanError `ALLOWED_ADDRESS_INVALID` when an entry of `allow` is neither an address nor a block nor a name.
 */
export function createGuardedTransport(options: GuardOptions = {}): HttpTransport {
  const { allow = [], limits, rootCertificates } = options
  const mayConnect = createGuard(allow)
  return createHttpTransport({
    mayConnect,
    ...(limits === undefined ? {} : { limits }),
    ...(rootCertificates === undefined ? {} : { rootCertificates }),
  })
}

/** Whether an address may be dialled for a host. */
export function createGuard(
  allow: readonly string[],
): (address: string, hostname: string) => boolean {
  const names = new Set<string>()
  const blocks: string[] = []
  for (const entry of allow) {
    if (entry.includes('/') || isIpAddress(entry)) blocks.push(readBlock(entry))
    else names.add(readName(entry))
  }
  return (address, hostname) => {
    if (names.has(hostname.toLowerCase().replace(/\.$/, ''))) return true
    if (blocks.some((block) => inBlock(plain(address), block))) return true
    if (translatedBlocks.some((block) => inBlock(plain(address), block))) return false
    return !isPrivateAddress(address) && !cloudAddresses.includes(plain(address))
  }
}

/** An IPv4 address written as IPv6 is the IPv4 address. */
function plain(address: string): string {
  const bare = address.replace(/^\[|\]$/g, '').toLowerCase()
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(bare)
  if (hex === null) return bare.replace(/^::ffff:(?=\d+\.)/, '')
  return [hex[1], hex[2]]
    .map((group) => Number.parseInt(group ?? '', 16))
    .flatMap((group) => [group >> 8, group & 255])
    .join('.')
}

function readBlock(entry: string): string {
  const block = entry.includes('/') ? entry : `${entry}/${entry.includes(':') ? 128 : 32}`
  const [base = ''] = block.split('/')
  if (isIpAddress(base) && inBlock(base, block)) return block
  throw invalid(entry)
}

function readName(entry: string): string {
  const name = entry.toLowerCase().replace(/\.$/, '')
  if (name.length <= 253 && /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name)) return name
  throw invalid(entry)
}

function invalid(entry: string): KatmanError {
  return new KatmanError(
    'ALLOWED_ADDRESS_INVALID',
    `${JSON.stringify(entry)} is neither an address nor a block nor a host name`,
    { hint: 'write 10.1.2.3, 10.0.0.0/8 or hooks.internal' },
  )
}
