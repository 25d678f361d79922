/** One header block with any bytes in its fields, for archives that no decent tool writes. */
export interface RawHeader {
  readonly name?: string | Uint8Array
  readonly flag?: string
  /** Numbers are written in octal, texts and bytes as they are. */
  readonly mode?: number | string | Uint8Array
  readonly uid?: number | string | Uint8Array
  readonly gid?: number | string | Uint8Array
  readonly size?: number | string | Uint8Array
  readonly mtime?: number | string | Uint8Array
  readonly linkname?: string | Uint8Array
  readonly devMajor?: number | string | Uint8Array
  readonly devMinor?: number | string | Uint8Array
  readonly prefix?: string
  readonly dialect?: 'ustar' | 'gnu' | 'v7' | 'star' | 'ustar-nul-version'
  /** How the checksum is written. Default: as everybody does. */
  readonly checksum?: 'signed' | 'spaces' | 'wrong'
}

const dialects = {
  ustar: 'ustar\x0000',
  gnu: 'ustar  \0',
  v7: '\0\0\0\0\0\0\0\0',
  star: 'ustar\x0000',
  'ustar-nul-version': 'ustar\0\0\0',
} as const

export function rawHeader(header: RawHeader): Buffer {
  const block = Buffer.alloc(512)
  put(block, 0, header.name ?? 'file')
  number(block, 100, 8, header.mode ?? 0o644)
  number(block, 108, 8, header.uid ?? 0)
  number(block, 116, 8, header.gid ?? 0)
  number(block, 124, 12, header.size ?? 0)
  number(block, 136, 12, header.mtime ?? 0)
  put(block, 156, header.flag ?? '0')
  put(block, 157, header.linkname ?? '')
  const dialect = header.dialect ?? 'ustar'
  put(block, 257, dialects[dialect])
  if (dialect !== 'v7') {
    number(block, 329, 8, header.devMajor ?? 0)
    number(block, 337, 8, header.devMinor ?? 0)
    put(block, 345, header.prefix ?? '')
  }
  if (dialect === 'star') put(block, 508, 'tar\0')
  put(block, 148, '        ')
  let sum = 0
  for (const byte of block) sum += header.checksum === 'signed' && byte > 127 ? byte - 256 : byte
  if (header.checksum === 'wrong') sum += 1
  const digits = sum.toString(8)
  put(
    block,
    148,
    header.checksum === 'spaces' ? digits.padStart(7, ' ') : `${digits.padStart(6, '0')}\0 `,
  )
  return block
}

/** A header and its content, filled to whole blocks; the size is the content's unless given. */
export function rawEntry(header: RawHeader, content: Uint8Array | string = ''): Buffer {
  const body = Buffer.from(content)
  return Buffer.concat([rawHeader({ size: body.length, ...header }), padded(body)])
}

/** A PAX header (`x`, or `g`) of records that are made right: length, key, value. */
export function rawPax(
  records: readonly (readonly [string, string | Uint8Array])[],
  flag = 'x',
): Buffer {
  return rawEntry(
    { flag, name: 'PaxHeader' },
    Buffer.concat(records.map(([k, v]) => paxRecord(k, v))),
  )
}

/** A PAX header with any body. */
export function rawPaxBody(body: string | Uint8Array, flag = 'x'): Buffer {
  return rawEntry({ flag, name: 'PaxHeader' }, body)
}

/** A GNU long name (`L`) or long link (`K`). */
export function rawLong(text: string, flag: 'L' | 'K' = 'L'): Buffer {
  return rawEntry({ flag, name: '././@LongLink', dialect: 'gnu' }, `${text}\0`)
}

/** Two blocks of zeros. */
export const rawEnd = Buffer.alloc(1024)

/** Parts and the end of the archive. */
export function rawTar(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, rawEnd])
}

/** A number in base-256, two's complement when negative. */
export function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let rest = BigInt.asUintN(length * 8, value)
  for (let at = length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest % 256n)
    rest /= 256n
  }
  bytes[0] = (bytes[0] ?? 0) | 0x80
  return bytes
}

function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const bytes = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')])
  let length = bytes.length
  while (length !== bytes.length + String(length).length)
    length = bytes.length + String(length).length
  return Buffer.concat([Buffer.from(String(length)), bytes])
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)])
}

function put(block: Buffer, at: number, value: string | Uint8Array): void {
  block.set(typeof value === 'string' ? Buffer.from(value) : value, at)
}

function number(
  block: Buffer,
  at: number,
  length: number,
  value: number | string | Uint8Array,
): void {
  put(block, at, typeof value === 'number' ? value.toString(8).padStart(length - 1, '0') : value)
}
