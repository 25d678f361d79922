import { readFile } from 'node:fs/promises'
import type { ArtifactDraft, ArtifactFile } from '@katman/artifact'
import { JsonNumber, type JsonValue, maxDocumentBytes, parseJson } from '@katman/oci'
import { CommandFailure } from './failure.ts'

/** The flags that say what an artifact holds. */
export interface DraftFlags {
  readonly annotation: readonly string[]
  readonly annotationFile: string | undefined
  readonly artifactType: string | undefined
  readonly config?: string | undefined
}

const createdKey = 'org.opencontainers.image.created'
const mediaType =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:;.+)?$/

/** Reads files and flags as oras does. The time is kept as an annotation unless one is given. */
export async function readDraft(
  flags: DraftFlags,
  files: readonly string[],
  now: Date,
): Promise<Omit<ArtifactDraft, 'subject'>> {
  const { artifactType, config } = flags
  if (artifactType) checkType(artifactType, '--artifact-type')
  const byName = await readAnnotationFile(flags.annotationFile)
  const annotations = {
    [createdKey]: now.toISOString().replace(/\.\d+Z$/, 'Z'),
    ...byName.get('$manifest'),
    ...parseAnnotations(flags.annotation),
  }
  return {
    files: files.map(parseFile),
    artifactType: artifactType || undefined,
    config: config ? parseFile(config) : undefined,
    annotations,
    configAnnotations: byName.get('$config'),
    fileAnnotations: byName,
  }
}

/** `FILE` or `FILE:TYPE`; `FILE:` for a name with a colon. */
function parseFile(typed: string): ArtifactFile {
  const colon = typed.lastIndexOf(':')
  if (colon === -1) return { path: typed }
  const type = typed.slice(colon + 1)
  if (type !== '') checkType(type, typed)
  return { path: typed.slice(0, colon), mediaType: type }
}

function checkType(type: string, where: string): void {
  if (!mediaType.test(type)) throw new CommandFailure(`${where}: ${type} is no media type`)
}

function parseAnnotations(typed: readonly string[]): Readonly<Record<string, string>> {
  const found = new Map<string, string>()
  for (const one of typed) {
    const equals = one.indexOf('=')
    if (equals < 1) throw new CommandFailure(`--annotation ${one}: write KEY=VALUE`)
    const key = one.slice(0, equals).trim()
    if (found.has(key)) throw new CommandFailure(`--annotation ${key} is given twice`)
    found.set(key, one.slice(equals + 1))
  }
  return Object.fromEntries(found)
}

async function readAnnotationFile(
  file: string | undefined,
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const byName = new Map<string, Readonly<Record<string, string>>>()
  if (!file) return byName
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new CommandFailure(`--annotation-file ${file}: ${messageOf(cause)}`, { cause })
  })
  if (bytes.byteLength > maxDocumentBytes) {
    throw new CommandFailure(`--annotation-file ${file}: it is larger than 4 MiB`)
  }
  for (const [name, annotations] of Object.entries(objectOf(parseJson(bytes, file), file))) {
    const texts = Object.entries(objectOf(annotations, `${file}, ${name}`)).map(([key, value]) => {
      if (typeof value === 'string') return [key, value] as const
      throw new CommandFailure(`${file}, ${name}, ${key}: it is no text`)
    })
    byName.set(name, Object.fromEntries(texts))
  }
  return byName
}

function objectOf(value: JsonValue, where: string): Readonly<Record<string, JsonValue>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (isObject && !(value instanceof JsonNumber)) return value
  throw new CommandFailure(`${where}: it is no JSON object`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
