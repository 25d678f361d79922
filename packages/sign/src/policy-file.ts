import {
  isReference,
  type JsonObject,
  type JsonValue,
  KatmanError,
  parseJson,
  parseReference,
  type Reference,
} from '@katman/oci'
import { asObject } from './json-object.ts'
import type { Policy, PolicyBytes, Requirement, SigstoreRequirement } from './policy.ts'
import type { IdentityRule } from './policy-identity.ts'
import { whyNoScope } from './scope-grammar.ts'

/**
 * Reads a policy file (containers-policy.json(5)) strictly: an unknown field, a field given twice or anything of a wrong kind
 * refuses the whole file; so does a scope that can speak of no image. Throws `POLICY_INVALID`, `JSON_INVALID`.
 */
export function parsePolicy(bytes: Uint8Array, file: string): Policy {
  const reader = new PolicyReader(file)
  const root = reader.object(parseJson(bytes, file), 'it', ['default', 'transports'])
  const transports = new Map<string, ReadonlyMap<string, readonly Requirement[]>>()
  const given =
    root['transports'] === undefined ? {} : reader.anyObject(root['transports'], 'transports')
  for (const [transport, scopes] of Object.entries(given)) {
    const where = `transports.${transport}`
    const byScope = Object.entries(reader.anyObject(scopes, where)).map(
      ([scope, list]) => [scope, reader.requirements(list, `${where}.${scope}`)] as const,
    )
    for (const [scope] of byScope) {
      const reason = whyNoScope(transport, scope)
      if (reason !== undefined) throw reader.fail(`${where}.${scope}`, reason)
    }
    transports.set(transport, new Map(byScope))
  }
  return { file, default: reader.requirements(root['default'], 'default'), transports }
}

const keyFields = ['keyPath', 'keyPaths', 'keyData', 'keyDatas', 'fulcio', 'pki']
const rekorFields = [
  'rekorPublicKeyPath',
  'rekorPublicKeyPaths',
  'rekorPublicKeyData',
  'rekorPublicKeyDatas',
]
const nameRules = ['matchExact', 'matchRepoDigestOrExact', 'matchRepository'] as const

class PolicyReader {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  requirements(value: JsonValue | undefined, where: string): readonly Requirement[] {
    if (!Array.isArray(value)) throw this.fail(where, 'is no list of requirements')
    if (value.length === 0) throw this.fail(where, 'is empty')
    return value.map((one, at) => this.#requirement(one, `${where}[${at}]`))
  }

  #requirement(value: JsonValue, where: string): Requirement {
    const { type } = this.anyObject(value, where)
    switch (type) {
      case 'insecureAcceptAnything':
      case 'reject':
        this.object(value, where, ['type'])
        return { type }
      case 'signedBy':
        return this.#signedBy(value, where)
      case 'sigstoreSigned':
        return this.#sigstoreSigned(value, where)
      default:
        throw this.fail(`${where}.type`, `${JSON.stringify(type)} is unknown`)
    }
  }

  #signedBy(value: JsonValue, where: string): Requirement {
    const keys = ['keyPath', 'keyPaths', 'keyData']
    const fields = this.object(value, where, ['type', 'keyType', 'signedIdentity', ...keys])
    this.#oneOf(fields, where, keys)
    if (fields['signedIdentity'] !== undefined) {
      this.#identity(fields['signedIdentity'], `${where}.signedIdentity`)
    }
    return { type: 'signedBy' }
  }

  #sigstoreSigned(value: JsonValue, where: string): SigstoreRequirement {
    const known = ['type', 'signedIdentity', ...keyFields, ...rekorFields]
    const fields = this.object(value, where, known)
    const source = this.#oneOf(fields, where, keyFields)
    const rekor = rekorFields.filter((name) => fields[name] !== undefined)
    if (rekor.length > 1) throw this.fail(where, `has ${rekor.join(' and ')}: only one is allowed`)
    const identity: IdentityRule =
      fields['signedIdentity'] === undefined
        ? { type: 'matchRepoDigestOrExact' }
        : this.#identity(fields['signedIdentity'], `${where}.signedIdentity`)
    const logField = rekor[0]
    const logs = logField === undefined ? [] : this.#bytes(fields[logField], logField, where)
    const shared = { type: 'sigstoreSigned', identity, logs } as const
    if (source === 'pki') return { ...shared, keys: [], unsupported: source }
    if (source !== 'fulcio') {
      return { ...shared, keys: this.#bytes(fields[source], source, where) }
    }
    if (logs.length === 0)
      throw this.fail(where, `has fulcio, but none of ${rekorFields.join(', ')}`)
    return { ...shared, keys: [], fulcio: this.#fulcio(fields[source], `${where}.fulcio`) }
  }

  #fulcio(value: JsonValue | undefined, where: string): NonNullable<SigstoreRequirement['fulcio']> {
    const sources = ['caPath', 'caData']
    const fields = this.object(value, where, [...sources, 'oidcIssuer', 'subjectEmail'])
    const source = this.#oneOf(fields, where, sources)
    const [authority] = this.#bytes(fields[source], source, where)
    const [issuer, subject] = [fields['oidcIssuer'], fields['subjectEmail']]
    if (typeof issuer !== 'string' || issuer === '') throw this.fail(where, 'has no oidcIssuer')
    if (typeof subject !== 'string' || subject === '') throw this.fail(where, 'has no subjectEmail')
    if (authority === undefined) throw this.fail(where, 'has no authority')
    return { authority, issuer, subject }
  }

  /** The value of a field `…Path`, `…Paths`, `…Data` or `…Datas`. */
  #bytes(value: JsonValue | undefined, name: string, where: string): readonly PolicyBytes[] {
    const list = name.endsWith('s') ? value : [value ?? '']
    if (!Array.isArray(list) || list.length === 0) {
      throw this.fail(`${where}.${name}`, 'is no list, or an empty one')
    }
    return list.map((one) => {
      if (typeof one !== 'string' || one === '') {
        throw this.fail(`${where}.${name}`, 'is no text, or an empty one')
      }
      if (/Paths?$/.test(name)) return { file: one }
      if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(one)) {
        throw this.fail(`${where}.${name}`, 'is not base64')
      }
      return { data: Buffer.from(one, 'base64') }
    })
  }

  #identity(value: JsonValue, where: string): IdentityRule {
    const { type } = this.anyObject(value, where)
    const simple = nameRules.find((name) => name === type)
    if (simple !== undefined) {
      this.object(value, where, ['type'])
      return { type: simple }
    }
    switch (type) {
      case 'exactReference': {
        const fields = this.object(value, where, ['type', 'dockerReference'])
        const reference = this.#reference(fields, where, 'dockerReference')
        if (reference.tag !== undefined || reference.digest !== undefined)
          return { type, reference }
        throw this.fail(`${where}.dockerReference`, 'has neither a tag nor a digest')
      }
      case 'exactRepository': {
        const fields = this.object(value, where, ['type', 'dockerRepository'])
        return { type, reference: this.#reference(fields, where, 'dockerRepository') }
      }
      case 'remapIdentity': {
        const fields = this.object(value, where, ['type', 'prefix', 'signedPrefix'])
        const [prefix, signedPrefix] = ['prefix', 'signedPrefix'].map((name) =>
          this.#prefix(fields[name], `${where}.${name}`),
        )
        return { type, prefix: prefix ?? '', signedPrefix: signedPrefix ?? '' }
      }
      default:
        throw this.fail(`${where}.type`, `${JSON.stringify(type)} is unknown`)
    }
  }

  #reference(fields: JsonObject, where: string, name: string): Reference {
    const text = fields[name]
    if (typeof text === 'string' && isReference(text)) return parseReference(text)
    throw this.fail(`${where}.${name}`, 'is no name of an image')
  }

  /** A host with or without a port, or a name below one, spelled out and without a tag. */
  #prefix(value: JsonValue | undefined, where: string): string {
    const text = typeof value === 'string' ? value : ''
    const [host = '', ...rest] = text.split('/')
    const isHost = isReference(`${host}/x`) && /[.:]|^localhost$/.test(host)
    const isName = rest.length === 0 || isReference(text)
    const hasSuffix = rest.length > 0 && /[:@]/.test(rest.join('/'))
    if (isHost && isName && !hasSuffix) return text
    throw this.fail(where, 'is neither a host nor a name below one, spelled out')
  }

  /** Which one of these fields there is. */
  #oneOf(fields: JsonObject, where: string, names: readonly string[]): string {
    const [one, other] = names.filter((name) => fields[name] !== undefined)
    if (one !== undefined && other === undefined) return one
    throw this.fail(where, `must have exactly one of ${names.join(', ')}`)
  }

  object(value: JsonValue | undefined, where: string, known: readonly string[]): JsonObject {
    const object = this.anyObject(value, where)
    const unknown = Object.keys(object).find((key) => !known.includes(key))
    if (unknown === undefined) return object
    throw this.fail(where, `has an unknown field ${JSON.stringify(unknown)}`)
  }

  anyObject(value: JsonValue | undefined, where: string): JsonObject {
    const object = asObject(value)
    if (object === undefined) throw this.fail(where, 'is no object')
    return object
  }

  fail(where: string, reason: string): KatmanError {
    return new KatmanError('POLICY_INVALID', `${this.#file}: ${where} ${reason}`, {
      hint: 'nothing is pulled while the policy does not read; see containers-policy.json(5)',
      details: { file: this.#file, field: where, reason },
    })
  }
}
