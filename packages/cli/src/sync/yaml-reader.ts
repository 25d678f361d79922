import { KatmanError } from '@katman/oci'
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { suggestNames } from '../terminal/suggest.ts'

/** A value of a YAML file that knows its line, for messages. All methods throw the kind of error the file was read with. */
export interface YamlValue {
  readonly line: number
  readonly isMap: boolean
  readonly isList: boolean
  /** Absent, `null` and `~`. */
  readonly isEmpty: boolean
  /** The error for this value. */
  fail(reason: string): KatmanError
  text(): string
  boolean(): boolean
  /** A whole number from 1. */
  count(): number
  list(): readonly YamlValue[]
  /** The entries of a map whose keys are names of the user's. */
  entries(): readonly { readonly key: string; readonly value: YamlValue; readonly line: number }[]
  /** The entries of a map that has only these keys. */
  fields<Key extends string>(keys: readonly Key[]): Partial<Record<Key, YamlValue>>
}

/** Parses a YAML file of at most 1 MiB. `file` is its name in messages, `fileError` makes what is thrown. */
export function readYaml(
  text: string,
  file: string,
  fileError: FileError = syncFileError,
): YamlValue {
  const lines = new LineCounter()
  const fail = (line: number, reason: string): KatmanError =>
    fileError(`${file}:${line}: ${reason}`, { file, line, reason })
  if (text.length > maxLength) throw fail(1, 'the file is larger than 1 MiB')
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [error] = document.errors
  if (error !== undefined) throw fail(lines.linePos(error.pos[0]).line, error.message)

  function valueOf(given: unknown, above: number): YamlValue {
    // An alias of an alias is resolved by the library, too.
    const node = isAlias(given) ? given.resolve(document) : (given as Node | null | undefined)
    const start = (isAlias(given) ? given : node)?.range?.[0]
    const line = start === undefined ? above : lines.linePos(start).line
    const scalar = isScalar(node) ? node.value : undefined
    const wrong = (wanted: string): KatmanError => fail(line, `${wanted} is expected here`)
    const entries: YamlValue['entries'] = () => {
      if (!isMap(node)) throw wrong('a map (key: value)')
      return node.items.map(({ key, value }) => {
        const name = valueOf(key, line)
        return { key: name.text(), value: valueOf(value, name.line), line: name.line }
      })
    }
    return {
      line,
      isMap: isMap(node),
      isList: isSeq(node),
      isEmpty: node === null || node === undefined || scalar === null,
      fail: (reason) => fail(line, reason),
      text() {
        // A tag such as 3.20 is a number to YAML: what counts is what was written.
        if (isScalar(node) && typeof scalar === 'number') return node.source ?? String(scalar)
        if (typeof scalar !== 'string' || scalar === '') throw wrong('a text')
        return scalar
      },
      boolean() {
        if (typeof scalar !== 'boolean') throw wrong('true or false')
        return scalar
      },
      count() {
        if (typeof scalar === 'number' && Number.isSafeInteger(scalar) && scalar > 0) return scalar
        throw wrong('a whole number from 1')
      },
      list() {
        if (!isSeq(node)) throw wrong('a list')
        return node.items.map((item) => valueOf(item, line))
      },
      entries,
      fields<Key extends string>(keys: readonly Key[]) {
        const found: Partial<Record<Key, YamlValue>> = {}
        for (const { key, value, line: at } of entries()) {
          const known = keys.find((one) => one === key)
          if (known === undefined) throw fail(at, unknownKey(key, keys))
          found[known] = value
        }
        return found
      },
    }
  }
  return valueOf(document.contents, 1)
}

type FileError = (message: string, details: Readonly<Record<string, unknown>>) => KatmanError

function syncFileError(message: string, details: Readonly<Record<string, unknown>>): KatmanError {
  return new KatmanError('SYNC_FILE_INVALID', message, { details })
}

const maxLength = 1024 * 1024

function unknownKey(key: string, keys: readonly string[]): string {
  const [near] = suggestNames(key, keys)
  return near === undefined
    ? `unknown key '${key}': choose one of ${keys.join(', ')}`
    : `unknown key '${key}': did you mean '${near}'?`
}
