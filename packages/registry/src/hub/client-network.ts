import { isIP } from 'node:net'

/**
 * Whom an address stands for: an IPv4 address itself, of IPv6 the /64, which one household or machine has as a whole. What is no
 * address is all one.
 */
export function clientNetwork(address: string | undefined): string {
  const text = (address ?? '').replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (mapped !== null) return mapped[1] ?? ''
  if (isIP(text) === 4) return text
  if (isIP(text) !== 6) return 'unknown'
  const [head = '', tail] = text.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing =
    8 - groups.length - (tail === undefined || tail === '' ? 0 : tail.split(':').length)
  const whole =
    tail === undefined
      ? groups
      : [...groups, ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...tail.split(':')]
  const network = whole.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, '') || '0')
  return `${network.join(':')}::/64`
}
