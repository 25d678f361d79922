import { type Digest, isDigest, parseDigest } from './digest.ts'
import { KatmanError } from './error.ts'

/** The registry that short names mean. */
export const defaultRegistry = 'docker.io'
/** The tag meant when neither tag nor digest is written. */
export const defaultTag = 'latest'

/** A parsed image reference, every default spelled out except the tag. */
export interface Reference {
  /** Host and optional port: `docker.io`, `127.0.0.1:5000`, `[::1]:5000`. */
  readonly registry: string
  /** Path inside the registry, without tag and digest: `library/alpine`. */
  readonly repository: string
  readonly tag?: string
  readonly digest?: Digest
}

const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const domainShape = new RegExp(
  `^(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`,
)
const pathComponent = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const tagShape = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const hex64 = /^[a-f0-9]{64}$/
const maxNameLength = 255

/**
 * Parses an image reference by the distribution grammar with docker's defaults: no registry means
 * `docker.io`, a single component there gets `library/`. Adds no tag ({@link withDefaultTag} does).
 * Throws `REFERENCE_INVALID`, with docker's exact text as message.
 */
export function parseReference(text: string): Reference {
  if (text.length > 4096) throw invalid('invalid reference format', text)
  if (hex64.test(text)) {
    throw invalid(
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
      text,
    )
  }
  const { registry, remainder } = splitRegistry(text)
  const { path, tag, digest } = splitSuffix(remainder, text)
  if (!path.split('/').every((component) => pathComponent.test(component))) {
    const lower = path.toLowerCase()
    if (lower !== path && lower.split('/').every((component) => pathComponent.test(component))) {
      throw invalid(
        `invalid reference format: repository name (${path}) must be lowercase`,
        text,
        `write it in lower case: ${lower}`,
      )
    }
    throw invalid('invalid reference format', text)
  }
  if (!domainShape.test(registry)) throw invalid('invalid reference format', text)
  if (path.length > maxNameLength) {
    throw invalid(`repository name must not be more than ${maxNameLength} characters`, text)
  }
  return {
    registry,
    repository: path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  }
}

/** True when the text is a reference by {@link parseReference}. */
export function isReference(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch {
    return false
  }
}

/** True when the text is a tag by the distribution grammar. */
export function isTag(text: string): boolean {
  return tagShape.test(text)
}

/** The reference itself, or with `:latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: defaultTag }
    : reference
}

/** Everything spelled out: `docker.io/library/alpine:3.20@sha256:…`. */
export function formatReference(reference: Reference): string {
  return `${reference.registry}/${reference.repository}${suffix(reference)}`
}

/** As docker displays it: `docker.io/` and then `library/` dropped. */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffix(reference)
}

/** The name without tag and digest as docker displays it. */
export function familiarName(reference: Reference): string {
  if (reference.registry !== defaultRegistry) {
    return `${reference.registry}/${reference.repository}`
  }
  const official = /^library\/([^/]+)$/.exec(reference.repository)
  return official?.[1] ?? reference.repository
}

/** The name without tag and digest, everything spelled out. */
export function canonicalName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`
}

function splitRegistry(text: string): { registry: string; remainder: string } {
  const slash = text.indexOf('/')
  const head = slash === -1 ? '' : text.slice(0, slash)
  let registry = defaultRegistry
  let remainder = text
  if (head !== '' && (/[.:]/.test(head) || head === 'localhost' || head.toLowerCase() !== head)) {
    registry = head
    remainder = text.slice(slash + 1)
  }
  if (registry === 'index.docker.io') registry = defaultRegistry
  if (registry === defaultRegistry && !remainder.includes('/')) remainder = `library/${remainder}`
  return { registry, remainder }
}

function splitSuffix(
  remainder: string,
  text: string,
): { path: string; tag: string | undefined; digest: Digest | undefined } {
  let path = remainder
  let digest: Digest | undefined
  const at = path.indexOf('@')
  if (at !== -1) {
    digest = parseReferenceDigest(path.slice(at + 1), text)
    path = path.slice(0, at)
  }
  let tag: string | undefined
  const colon = path.lastIndexOf(':')
  if (colon > path.lastIndexOf('/')) {
    tag = path.slice(colon + 1)
    path = path.slice(0, colon)
    if (!tagShape.test(tag)) throw invalid('invalid reference format', text)
  }
  return { path, tag, digest }
}

function parseReferenceDigest(digest: string, text: string): Digest {
  if (isDigest(digest)) return digest
  if (/^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/.test(digest)) {
    const algorithm = digest.slice(0, digest.indexOf(':'))
    try {
      parseDigest(digest)
    } catch (error) {
      if (!['sha256', 'sha384', 'sha512'].includes(algorithm)) {
        throw invalid('unsupported digest algorithm', text, undefined, error)
      }
      throw invalid('invalid checksum digest length', text, undefined, error)
    }
  }
  throw invalid('invalid reference format', text)
}

function suffix(reference: Reference): string {
  return (
    (reference.tag === undefined ? '' : `:${reference.tag}`) +
    (reference.digest === undefined ? '' : `@${reference.digest}`)
  )
}

function invalid(message: string, text: string, hint?: string, cause?: unknown): KatmanError {
  return new KatmanError('REFERENCE_INVALID', message, {
    hint: hint ?? 'write [registry[:port]/]name[:tag][@digest], such as alpine:3.20',
    details: { reference: text.slice(0, 300) },
    ...(cause === undefined ? {} : { cause }),
  })
}
