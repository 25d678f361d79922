// Writing DER (X.690), as far as certificates need it.

/** One value: its tag and what it holds. */
function value(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.byteLength), body])
}

function lengthOf(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size])
  const hex = size.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.from([0x80 | bytes.byteLength]), bytes])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => value(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]): Buffer => value(0x31, ...parts)
export const octets = (bytes: Uint8Array): Buffer => value(0x04, bytes)
export const bits = (bytes: Uint8Array, unused = 0): Buffer =>
  value(0x03, Buffer.from([unused]), bytes)
export const utf8 = (text: string): Buffer => value(0x0c, Buffer.from(text))
export const truth = (): Buffer => value(0x01, Buffer.from([0xff]))
export const integer = (bytes: Uint8Array): Buffer => value(0x02, bytes)
/** A value in a context-specific tag around it, or instead of its own. */
export const explicit = (tag: number, inner: Uint8Array): Buffer => value(0xa0 | tag, inner)
export const implicit = (tag: number, bytes: Uint8Array): Buffer => value(0x80 | tag, bytes)

/** A moment until 2049, in seconds. */
export function time(date: Date): Buffer {
  const text = `${date
    .toISOString()
    .replaceAll(/[-:T]|\.\d+/g, '')
    .slice(2)}`
  return value(0x17, Buffer.from(text))
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left & 0x7f) | 0x80)
    }
    bytes.push(...groups)
  }
  return value(0x06, Buffer.from(bytes))
}
