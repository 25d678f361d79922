import { type Descriptor, formatPlatform, normalisePlatform, type Platform } from '@katman/oci'
import { parsePlatformText } from './imagetools-platforms.ts'
import { CommandFailure } from './failure.ts'

/** An annotation as `--annotation` gives it: of the index, or of its entries, perhaps of one platform. */
export interface Annotation {
  readonly kind: string
  readonly platform: Platform | undefined
  readonly key: string
  readonly value: string
}

/** Reads `[KIND[PLATFORM][,KIND…]:]KEY=VALUE`. Fails with buildx's words. */
export function parseAnnotations(texts: readonly string[]): readonly Annotation[] {
  return texts.filter((text) => text !== '').flatMap(parseAnnotation)
}

function parseAnnotation(text: string): readonly Annotation[] {
  const equals = text.indexOf('=')
  if (equals < 0) {
    throw failure(`invalid annotation ${JSON.stringify(text)}, expected key=value`)
  }
  const [name, value] = [text.slice(0, equals), text.slice(equals + 1)]
  const colon = name.indexOf(':')
  if (colon < 0) return [{ kind: '', platform: undefined, key: name, value }]
  const key = name.slice(colon + 1)
  return name
    .slice(0, colon)
    .split(',')
    .map((word) => ({ ...parseKind(word), key, value }))
}

function parseKind(word: string): Pick<Annotation, 'kind' | 'platform'> {
  const found = /^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$/.exec(word)
  if (found === null) {
    throw failure(
      `invalid annotation type ${JSON.stringify(word)}, expected type and optional platform in square brackets`,
    )
  }
  const [, kind = '', platform] = found
  if (!kinds.has(kind)) throw failure(`unknown annotation type ${JSON.stringify(kind)}`)
  return { kind, platform: platform === undefined ? undefined : parsePlatformText(platform) }
}

const kinds: ReadonlySet<string> = new Set([
  'index',
  'index-descriptor',
  'manifest',
  'manifest-descriptor',
])

function failure(message: string): CommandFailure {
  return new CommandFailure(`failed to parse annotations: ${message}`)
}

/** Fails for the kinds that only a build can have. */
export function checkAnnotations(annotations: readonly Annotation[]): void {
  for (const { kind } of annotations) {
    if (kind === '' || kind === 'manifest') {
      throw new CommandFailure(`${JSON.stringify(kind)} annotations are not supported yet`)
    }
    if (kind === 'index-descriptor') {
      throw new CommandFailure(
        `${JSON.stringify(kind)} annotations are invalid while creating an image`,
      )
    }
  }
}

/** An entry with what is to be annotated at it. */
export function annotateEntry(entry: Descriptor, annotations: readonly Annotation[]): Descriptor {
  const own = annotations.filter(
    ({ kind, platform }) =>
      kind === 'manifest-descriptor' &&
      (platform === undefined ||
        (entry.platform !== undefined && samePlatform(platform, entry.platform))),
  )
  if (own.length === 0) return entry
  return { ...entry, annotations: { ...entry.annotations, ...recordOf(own) } }
}

/** What is to be annotated at the index. */
export function indexAnnotations(
  annotations: readonly Annotation[],
): Readonly<Record<string, string>> {
  return recordOf(annotations.filter(({ kind }) => kind === 'index'))
}

function recordOf(annotations: readonly Annotation[]): Readonly<Record<string, string>> {
  return Object.fromEntries(annotations.map(({ key, value }) => [key, value]))
}

function samePlatform(left: Platform, right: Platform): boolean {
  return formatPlatform(normalisePlatform(left)) === formatPlatform(normalisePlatform(right))
}
