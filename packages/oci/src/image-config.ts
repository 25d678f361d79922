import type { Digest } from './digest.ts'
import { parseDigest } from './digest.ts'
import { Fields } from './fields.ts'
import { JsonNumber, type JsonValue, parseJson } from './json.ts'
import type { Platform } from './platform.ts'

/** One step of an image's making. */
export interface HistoryEntry {
  /** RFC 3339, as written. */
  readonly created?: string
  readonly createdBy?: string
  readonly author?: string
  readonly comment?: string
  /** True when the step made no layer. */
  readonly emptyLayer: boolean
}

/** A container's health check. Durations in nanoseconds. */
export interface Healthcheck {
  readonly test?: readonly string[]
  readonly interval?: number
  readonly timeout?: number
  readonly startPeriod?: number
  readonly startInterval?: number
  readonly retries?: number
}

/** The execution defaults of an image (image-spec config.md, "config"). */
export interface ContainerDefaults {
  readonly user?: string
  readonly exposedPorts?: readonly string[]
  readonly env?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly cmd?: readonly string[]
  readonly volumes?: readonly string[]
  readonly workingDir?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly stopSignal?: string
  readonly stopTimeout?: number
  readonly argsEscaped?: boolean
  readonly healthcheck?: Healthcheck
  readonly onBuild?: readonly string[]
  readonly shell?: readonly string[]
}

/** An image config (image-spec config.md, with Docker's additions). */
export interface ImageConfig {
  readonly platform: Platform
  readonly created?: string
  readonly author?: string
  readonly comment?: string
  readonly dockerVersion?: string
  /** The id of the container that made the image, in old Docker images. */
  readonly container?: string
  readonly config: ContainerDefaults
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIDs: readonly Digest[]
  readonly history: readonly HistoryEntry[]
  /** The whole document as parsed, for what this type does not name. */
  readonly raw: JsonValue
}

const code = 'CONFIG_INVALID'

/** Parses an image config. Throws `CONFIG_INVALID` or `JSON_INVALID`. */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const raw = parseJson(bytes, 'image config')
  const fields = new Fields(raw, 'image config', topKeys, code)
  const rootfs = new Fields(
    fields.required('rootfs', fields.value('rootfs')),
    fields.path('rootfs'),
    ['type', 'diff_ids'],
    code,
  )
  const type = rootfs.string('type')
  if (type !== 'layers') throw rootfs.fail('type', `is ${type ?? 'missing'}, not "layers"`)
  const diffIDs = (rootfs.strings('diff_ids') ?? []).map((text) => {
    try {
      return parseDigest(text)
    } catch (cause) {
      throw rootfs.fail('diff_ids', `holds an invalid digest ${JSON.stringify(text)}`, cause)
    }
  })
  const history = (fields.list('history') ?? []).map((item, position) =>
    readHistory(item, `${fields.path('history')}[${position}]`),
  )
  const config = fields.has('config')
    ? readDefaults(fields.value('config'), fields.path('config'))
    : {}
  return {
    platform: readOwnPlatform(fields),
    ...optional({
      created: fields.string('created'),
      author: fields.string('author'),
      comment: fields.string('comment'),
      dockerVersion: fields.string('docker_version'),
      container: fields.string('container'),
    }),
    config,
    diffIDs,
    history,
    raw,
  }
}

const topKeys = [
  'architecture',
  'os',
  'os.version',
  'os.features',
  'variant',
  'created',
  'author',
  'comment',
  'docker_version',
  'container',
  'container_config',
  'config',
  'rootfs',
  'history',
]

function readOwnPlatform(fields: Fields): Platform {
  return {
    os: fields.string('os') ?? '',
    architecture: fields.string('architecture') ?? '',
    ...optional({
      variant: fields.string('variant') || undefined,
      osVersion: fields.string('os.version') || undefined,
      osFeatures: fields.strings('os.features'),
    }),
  }
}

function readHistory(value: JsonValue, where: string): HistoryEntry {
  const keys = ['created', 'created_by', 'author', 'comment', 'empty_layer']
  const fields = new Fields(value, where, keys, code)
  return {
    ...optional({
      created: fields.string('created'),
      createdBy: fields.string('created_by'),
      author: fields.string('author'),
      comment: fields.string('comment'),
    }),
    emptyLayer: fields.boolean('empty_layer') ?? false,
  }
}

const defaultsKeys = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'StopTimeout',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
]

function readDefaults(value: JsonValue | undefined, where: string): ContainerDefaults {
  const fields = new Fields(value, where, defaultsKeys, code)
  return optional({
    user: fields.string('User'),
    exposedPorts: fields.keys('ExposedPorts'),
    env: fields.strings('Env'),
    entrypoint: fields.strings('Entrypoint'),
    cmd: fields.strings('Cmd'),
    volumes: fields.keys('Volumes'),
    workingDir: fields.string('WorkingDir'),
    labels: fields.stringMap('Labels'),
    stopSignal: fields.string('StopSignal'),
    stopTimeout: integer(fields, 'StopTimeout'),
    argsEscaped: fields.boolean('ArgsEscaped'),
    healthcheck: fields.has('Healthcheck')
      ? readHealthcheck(fields.value('Healthcheck'), fields.path('Healthcheck'))
      : undefined,
    onBuild: fields.strings('OnBuild'),
    shell: fields.strings('Shell'),
  })
}

function readHealthcheck(value: JsonValue | undefined, where: string): Healthcheck {
  const keys = ['Test', 'Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries']
  const fields = new Fields(value, where, keys, code)
  return optional({
    test: fields.strings('Test'),
    interval: integer(fields, 'Interval'),
    timeout: integer(fields, 'Timeout'),
    startPeriod: integer(fields, 'StartPeriod'),
    startInterval: integer(fields, 'StartInterval'),
    retries: integer(fields, 'Retries'),
  })
}

function integer(fields: Fields, key: string): number | undefined {
  const value = fields.value(key)
  if (value === undefined || typeof value === 'number') return value
  const parsed = value instanceof JsonNumber ? Number(value.text) : Number.NaN
  if (!Number.isSafeInteger(parsed)) throw fields.fail(key, 'is not a whole number')
  return parsed
}

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

/** Drops the keys whose value is undefined. */
function optional<T extends Readonly<Record<string, unknown>>>(values: T): Present<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Present<T>
}
