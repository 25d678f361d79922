import type { CustomTypesConfig } from 'pg'

/** Values as SQLite gives them: numbers for whole numbers, sums and truths, `Uint8Array` for bytes, else text. */
export const postgresTypes: CustomTypesConfig = {
  getTypeParser: (type: number) => parsers.get(type) ?? asText,
}

/** By the number that PostgreSQL gives a type; they never change. */
const parsers: ReadonlyMap<number, (text: string) => unknown> = new Map<
  number,
  (text: string) => unknown
>([
  [16, (text) => (text === 't' ? 1 : 0)],
  [17, parseBytes],
  ...[20, 21, 23, 700, 701, 1700].map((type) => [type, Number] as const),
])

function asText(text: string): string {
  return text
}

function parseBytes(text: string): Uint8Array {
  const bytes = Buffer.from(text.slice(2), 'hex')
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
