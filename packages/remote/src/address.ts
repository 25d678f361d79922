/** True for `localhost`, 127.0.0.0/8 and ::1. `host` is a host name as in `URL.hostname`. */
export function isLoopbackHost(host: string): boolean {
  const name = bare(host)
  if (name === 'localhost' || name.endsWith('.localhost') || name === '::1') return true
  const octets = ipv4Octets(name)
  return octets !== undefined && octets[0] === 127
}

/**
 * True for an IP address that is not on the public internet: loopback, private, link-local (cloud metadata),
 * carrier-grade NAT, unspecified, multicast, and IPv6 forms that embed one of these. False for names.
 */
export function isPrivateAddress(host: string): boolean {
  const address = bare(host)
  const octets = ipv4Octets(address)
  if (octets !== undefined) return isPrivateIpv4(octets)
  if (!address.includes(':')) return false
  const groups = ipv6Groups(address)
  if (groups === undefined) return true
  const [first = 0, second = 0] = groups
  const high = groups.slice(0, 6)
  const embedded = [groups[6] ?? 0, groups[7] ?? 0].flatMap((group) => [group >> 8, group & 255])
  if (high.every((group) => group === 0)) return true
  if (high.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return isPrivateIpv4(embedded)
  }
  if (first === 0x64 && second === 0xff9b) return isPrivateIpv4(embedded)
  if (first === 0x2002) {
    return isPrivateIpv4([second >> 8, second & 255, (groups[2] ?? 0) >> 8, (groups[2] ?? 0) & 255])
  }
  return (first & 0xfe00) === 0xfc00 || (first & 0xff80) === 0xfe80 || first >= 0xff00
}

/** True when the text is an IPv4 or IPv6 address, with or without brackets. */
export function isIpAddress(host: string): boolean {
  const address = bare(host)
  return ipv4Octets(address) !== undefined || address.includes(':')
}

/** True when the address lies in the CIDR block. */
export function inBlock(address: string, block: string): boolean {
  const [base = '', bits = ''] = block.split('/')
  if (!/^[0-9]{1,3}$/.test(bits)) return false
  const left = addressBits(bare(address))
  const right = addressBits(bare(base))
  if (left === undefined || right === undefined || left.length !== right.length) return false
  const length = Number(bits)
  return length <= left.length && left.slice(0, length) === right.slice(0, length)
}

function isPrivateIpv4(octets: readonly number[]): boolean {
  const [a = 0, b = 0] = octets
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true
  if (a === 100 && b >= 64 && b < 128) return true
  if (a === 169 && b === 254) return true
  if (a === 172 && b >= 16 && b < 32) return true
  // 192.0.0.0/24 is for protocols; one cloud has its metadata there.
  if (a === 192 && b === 0 && octets[2] === 0) return true
  return (a === 192 && b === 168) || (a === 198 && (b === 18 || b === 19))
}

function bare(host: string): string {
  const lower = host.toLowerCase().replace(/\.$/, '')
  return lower.startsWith('[') ? lower.slice(1).replace(/\].*$/, '') : lower.replace(/%.*$/, '')
}

function ipv4Octets(text: string): readonly number[] | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined
  const octets = text.split('.').map(Number)
  return octets.every((octet) => octet < 256) ? octets : undefined
}

function ipv6Groups(text: string): readonly number[] | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  let plain = text
  if (dotted !== null) {
    const octets = ipv4Octets(dotted[2] ?? '')
    if (octets === undefined) return undefined
    const [a = 0, b = 0, c = 0, d = 0] = octets
    plain = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  }
  const halves = plain.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const words = [...head, ...Array<string>(Math.max(missing, 0)).fill('0'), ...tail]
  if (!words.every((word) => /^[0-9a-f]{1,4}$/.test(word))) return undefined
  return words.map((word) => Number.parseInt(word, 16))
}

function addressBits(address: string): string | undefined {
  const octets = ipv4Octets(address)
  if (octets !== undefined)
    return octets.map((octet) => octet.toString(2).padStart(8, '0')).join('')
  if (!address.includes(':')) return undefined
  return ipv6Groups(address)
    ?.map((group) => group.toString(2).padStart(16, '0'))
    .join('')
}
