import type { RegistryRequest } from './http.ts'
import { readWholeBody } from './read-body.ts'
import { Refusal } from './refusal.ts'

/**
 * The body of a request as an object of JSON with none but these keys.
 *
 * @throws Refusal 413 when it is too large, 400 when it is no such object; a key nobody knows is named.
 */
export async function readJsonFields<Key extends string>(
  request: RegistryRequest,
  { keys, limitBytes }: { readonly keys: readonly Key[]; readonly limitBytes: number },
): Promise<JsonFields<Key>> {
  const text = (await readWholeBody(request, limitBytes)).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid('the body is no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('the body is no object')
  }
  const unknown = Object.keys(value).find((key) => !keys.some((known) => known === key))
  if (unknown !== undefined) throw invalid(`unknown key ${JSON.stringify(unknown.slice(0, 100))}`)
  return new JsonFields(new Map(Object.entries(value)))
}

/** Values by key, each read strictly. A key that is not there, or null, is undefined. */
export class JsonFields<Key extends string> {
  readonly #values: ReadonlyMap<string, unknown>

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values
  }

  string(key: Key, maxLength: number): string | undefined {
    const value = this.value(key)
    if (value === undefined) return undefined
    // No database takes a zero in a text.
    if (typeof value === 'string' && value.length <= maxLength && !value.includes('\0')) {
      return value
    }
    throw invalid(`${key} is no text of at most ${maxLength} characters`)
  }

  boolean(key: Key): boolean | undefined {
    const value = this.value(key)
    if (value === undefined || typeof value === 'boolean') return value
    throw invalid(`${key} is neither true nor false`)
  }

  strings(key: Key, maxCount: number): readonly string[] | undefined {
    const value = this.value(key)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.length <= maxCount && value.every(isText)) return value
    throw invalid(`${key} is no list of at most ${maxCount} texts`)
  }

  value(key: Key): unknown {
    return this.#values.get(key) ?? undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 300 && !value.includes('\0')
}

export function invalid(message: string): Refusal {
  return new Refusal(400, 'UNSUPPORTED', message)
}
