import { parseDigest, type Digest } from './digest.ts'
import type { Descriptor } from './descriptor.ts'
import { KatmanError } from './error.ts'
import { JsonNumber, type JsonObject, type JsonValue } from './json.ts'
import type { Platform } from './platform.ts'

/**
 * Typed access to one JSON object of a document. Known keys must be spelled exactly: a key that equals a
 * known one but for case is refused, because Go readers would take it and others would not.
 */
export class Fields {
  readonly #object: JsonObject
  readonly #where: string
  readonly #code: string

  constructor(value: JsonValue | undefined, where: string, known: readonly string[], code: string) {
    this.#where = where
    this.#code = code
    if (!isJsonObject(value)) throw this.fail('', 'is not an object')
    this.#object = value
    const folded = new Map(known.map((key) => [key.toLowerCase(), key]))
    for (const key of Object.keys(value)) {
      const exact = folded.get(key.toLowerCase())
      if (exact !== undefined && exact !== key) {
        throw this.fail(key, `differs from ${JSON.stringify(exact)} by case only`)
      }
    }
  }

  has(key: string): boolean {
    return this.#object[key] !== undefined && this.#object[key] !== null
  }

  value(key: string): JsonValue | undefined {
    return this.#object[key] ?? undefined
  }

  string(key: string): string | undefined {
    const value = this.value(key)
    if (value === undefined || typeof value === 'string') return value
    throw this.fail(key, 'is not a string')
  }

  boolean(key: string): boolean | undefined {
    const value = this.value(key)
    if (value === undefined || typeof value === 'boolean') return value
    throw this.fail(key, 'is not true or false')
  }

  /** A whole number, 0 to 2^53-1, written plainly. */
  size(key: string): number | undefined {
    const value = this.value(key)
    if (value === undefined || typeof value === 'number') return value
    const text = value instanceof JsonNumber ? value.text : typeof value
    throw this.fail(key, `is ${text}, not a whole number from 0 to 2^53-1`)
  }

  digest(key: string): Digest | undefined {
    const text = this.string(key)
    if (text === undefined) return undefined
    try {
      return parseDigest(text)
    } catch (cause) {
      throw this.fail(key, cause instanceof Error ? cause.message : 'is no digest', cause)
    }
  }

  list(key: string): readonly JsonValue[] | undefined {
    const value = this.value(key)
    if (value === undefined || Array.isArray(value)) return value
    throw this.fail(key, 'is not a list')
  }

  strings(key: string): readonly string[] | undefined {
    const list = this.list(key)
    if (list === undefined) return undefined
    return list.map((item) => {
      if (typeof item === 'string') return item
      throw this.fail(key, 'holds something that is not a string')
    })
  }

  stringMap(key: string): Readonly<Record<string, string>> | undefined {
    const value = this.value(key)
    if (value === undefined) return undefined
    if (!isJsonObject(value)) throw this.fail(key, 'is not an object')
    const result = Object.create(null) as Record<string, string>
    for (const [name, text] of Object.entries(value)) {
      if (typeof text !== 'string')
        throw this.fail(key, `has a value that is not a string: ${name}`)
      result[name] = text
    }
    return result
  }

  /** An object used as a set of names: `{"80/tcp": {}}`. */
  keys(key: string): readonly string[] | undefined {
    const value = this.value(key)
    if (value === undefined) return undefined
    if (!isJsonObject(value)) throw this.fail(key, 'is not an object')
    return Object.keys(value)
  }

  required<T>(key: string, value: T | undefined): T {
    if (value === undefined) throw this.fail(key, 'is missing')
    return value
  }

  path(key: string): string {
    return key === '' ? this.#where : `${this.#where}.${key}`
  }

  fail(key: string, reason: string, cause?: unknown): KatmanError {
    return new KatmanError(this.#code, `${this.path(key)} ${reason}`, {
      details: { field: this.path(key), reason },
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonNumber)
  )
}

const descriptorKeys = [
  'mediaType',
  'digest',
  'size',
  'urls',
  'annotations',
  'data',
  'artifactType',
  'platform',
]

/** Reads a descriptor (image-spec descriptor.md). */
export function readDescriptor(
  value: JsonValue | undefined,
  where: string,
  code: string,
): Descriptor {
  const fields = new Fields(value, where, descriptorKeys, code)
  const size = fields.required('size', fields.size('size'))
  const platform = fields.has('platform')
    ? readPlatform(fields.value('platform'), fields.path('platform'), code)
    : undefined
  const annotations = fields.stringMap('annotations')
  const artifactType = fields.string('artifactType')
  const urls = fields.strings('urls')
  const data = fields.string('data')
  return {
    mediaType: fields.required('mediaType', fields.string('mediaType')),
    digest: fields.required('digest', fields.digest('digest')),
    size,
    ...(platform === undefined ? {} : { platform }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(urls === undefined ? {} : { urls }),
    ...(data === undefined ? {} : { data }),
  }
}

const platformKeys = ['architecture', 'os', 'os.version', 'os.features', 'variant', 'features']

function readPlatform(value: JsonValue | undefined, where: string, code: string): Platform {
  const fields = new Fields(value, where, platformKeys, code)
  const variant = fields.string('variant')
  const osVersion = fields.string('os.version')
  const osFeatures = fields.strings('os.features')
  return {
    os: fields.string('os') ?? '',
    architecture: fields.string('architecture') ?? '',
    ...(variant ? { variant } : {}),
    ...(osVersion ? { osVersion } : {}),
    ...(osFeatures?.length ? { osFeatures } : {}),
  }
}
