import { changeInvalid } from './change-error.ts'

const protocols = ['tcp', 'udp', 'sctp']

/** The ports of `80`, `80/udp` or `8000-8002/tcp`, each with its protocol. Throws `CHANGE_INVALID`. */
export function exposedPorts(spec: string): readonly string[] {
  const [range = '', protocol = 'tcp', more] = spec.toLowerCase().split('/')
  // docker takes `address:host:container`, too, and uses the container's.
  const container = range.slice(range.lastIndexOf(':') + 1)
  if (container === '') throw changeInvalid(`No port specified: ${spec}<empty>`)
  if (!protocols.includes(protocol) || more !== undefined) {
    throw changeInvalid(`Invalid proto: ${protocol}`)
  }
  const [first = '', last = first, third] = container.split('-')
  const [start, end] = [portOf(first), portOf(last)]
  if (third !== undefined || start === undefined || end === undefined || end < start) {
    throw changeInvalid(`Invalid containerPort: ${container}`)
  }
  return Array.from({ length: end - start + 1 }, (_, index) => `${start + index}/${protocol}`)
}

function portOf(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  return port <= 65_535 ? port : undefined
}
