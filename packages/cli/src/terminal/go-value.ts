/**
 * Under this key an object tells the name of its Go type (`*formatter.imageContext`): then it is a struct, whose
 * unknown fields are errors. Objects without it, and Maps, are maps.
 */
export const goType: unique symbol = Symbol('goType')

/** Go's nil map and nil slice: empty for a template, `null` in JSON. */
export const nilMap: ReadonlyMap<string, unknown> = new Map<string, unknown>()
export const nilSlice: readonly never[] = Object.freeze([])

/** Under this key an object holds what its JSON shows: a struct's fields may have other names there. */
export const jsonForm: unique symbol = Symbol('jsonForm')

/** Plain objects as maps, whose keys JSON sorts: what Go makes of JSON that has no struct. */
export function asGoMap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asGoMap)
  if (!isGoMap(value)) return value
  return new Map(sortedEntries(value).map(([key, item]) => [key, asGoMap(item)]))
}

/** An object whose Go type is known. */
export interface GoStruct {
  readonly [goType]: string
  readonly [field: string]: unknown
}

export function isStruct(value: unknown): value is GoStruct {
  return isObject(value) && typeof value[goType] === 'string'
}

/** A Map or an object that is no struct. */
export function isGoMap(value: unknown): value is ReadonlyMap<unknown, unknown> | GoObject {
  return value instanceof Map || (isObject(value) && !isStruct(value))
}

type GoObject = Readonly<Record<PropertyKey, unknown>>

function isObject(value: unknown): value is GoObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The entries of a map in the order of their keys, as Go sorts them. */
export function sortedEntries(map: ReadonlyMap<unknown, unknown> | GoObject): [string, unknown][] {
  const entries: [string, unknown][] =
    map instanceof Map
      ? [...map].map(([key, value]) => [String(key), value])
      : Object.entries(map).filter(([, value]) => value !== undefined)
  return entries.toSorted(([left], [right]) => compareText(left, right))
}

/** Has the map this key, and what is there. */
export function mapEntry(
  map: ReadonlyMap<unknown, unknown> | GoObject,
  key: string,
): { readonly value: unknown } | undefined {
  if (map instanceof Map) return map.has(key) ? { value: map.get(key) } : undefined
  const object = map as GoObject
  return Object.hasOwn(object, key) && object[key] !== undefined
    ? { value: object[key] }
    : undefined
}

/** Order of two texts by code points, which is Go's order of bytes. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0
  for (let index = 0; index < left.length && index < right.length; index++) {
    if (left.charCodeAt(index) !== right.charCodeAt(index)) {
      return (left.codePointAt(index) ?? 0) - (right.codePointAt(index) ?? 0)
    }
  }
  return left.length - right.length
}

/** The Go type of a value, as `%T` and errors name it. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64'
  if (Array.isArray(value)) return '[]interface {}'
  return isStruct(value) ? value[goType] : 'map[string]interface {}'
}

/** False, 0, empty and nil are not true; a struct always is. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (isGoMap(value)) return value instanceof Map ? value.size > 0 : sortedEntries(value).length > 0
  return typeof value === 'number' ? value !== 0 : Boolean(value)
}
