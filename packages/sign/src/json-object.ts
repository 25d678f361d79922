import { JsonNumber, type JsonObject, type JsonValue } from '@katman/oci'

/** The value as an object; undefined when it is none. */
export function asObject(value: JsonValue | undefined): JsonObject | undefined {
  const isObject =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber)
  return isObject ? value : undefined
}

/** The texts of an object; what else stands there says nothing to us. */
export function textsOf(value: JsonValue | undefined): Readonly<Record<string, string>> {
  const texts = Object.create(null) as Record<string, string>
  for (const [key, text] of Object.entries(asObject(value) ?? {})) {
    if (typeof text === 'string') texts[key] = text
  }
  return texts
}
