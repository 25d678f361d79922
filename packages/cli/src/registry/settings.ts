import type { FlagSpec } from '../terminal/flags.ts'

/**
 * One setting of a registry server: a flag, an environment variable (`KATMAN_REGISTRY_` and the name in capitals) and a
 * key of the configuration file, all of the same name.
 */
export interface Setting {
  readonly name: string
  readonly type: 'text' | 'list' | 'truth'
  readonly help: string
  /** The word for the value in help. */
  readonly value?: string
  /** Whether the value may hold a password. */
  readonly isSecret?: true
}

/** Every setting that is one value or a list of them; what has a structure of its own is a section of the file. */
export const settings = [
  {
    name: 'allow-sparse',
    type: 'truth',
    help: 'Manifests may name layers that nobody pushed',
  },
  { name: 'data', type: 'text', value: 'folder', help: 'Folder of the database and the blobs' },
  {
    name: 'db',
    type: 'text',
    value: 'url',
    help: 'Database of several replicas: postgres://…',
    isSecret: true,
  },
  {
    name: 'listen',
    type: 'text',
    value: 'host:port',
    help: 'Address to listen on (default 127.0.0.1:5000)',
  },
  {
    name: 'max-connections',
    type: 'text',
    value: 'int',
    help: 'Connections at the same time (default 10000)',
  },
  {
    name: 'metrics-listen',
    type: 'text',
    value: 'host:port',
    help: 'Address of its own for /metrics and health',
  },
  { name: 'open', type: 'truth', help: 'Everybody may do everything: no accounts' },
  {
    name: 'public-url',
    type: 'text',
    value: 'url',
    help: 'How clients reach the registry, behind a proxy',
  },
  { name: 'redirect', type: 'truth', help: 'Send clients to the storage itself for blobs' },
  {
    name: 'redirect-never',
    type: 'list',
    value: 'text',
    help: 'Clients that are not sent there: a part of their\nUser-Agent (repeatable)',
  },
  {
    name: 'stop-delay',
    type: 'text',
    value: 'duration',
    help: 'Go on so long after a signal, while /readyz says no',
  },
  {
    name: 'stop-timeout',
    type: 'text',
    value: 'duration',
    help: 'Wait so long for running transfers (default 1m)',
  },
  {
    name: 'storage',
    type: 'text',
    value: 'url',
    help: 'Bucket for the blobs: s3://…',
    isSecret: true,
  },
  {
    name: 'threads',
    type: 'text',
    value: 'int',
    help: 'Threads that answer (default: one a core, at most 4)',
  },
  { name: 'tls-cert', type: 'text', value: 'file', help: 'Certificate chain in PEM' },
  { name: 'tls-key', type: 'text', value: 'file', help: 'Private key in PEM' },
  {
    name: 'trusted-proxy',
    type: 'list',
    value: 'address',
    help: 'Proxy or network whose X-Forwarded headers count\n(repeatable)',
  },
] as const satisfies readonly Setting[]

export type SettingName = (typeof settings)[number]['name']

/** The flags of all settings. Absent flags are undefined or empty, so that the file and the defaults count. */
export function settingFlags(): readonly FlagSpec[] {
  return settings.map(({ type, name, help, value }: Setting): FlagSpec => {
    const setting = { name, help, ...(value === undefined ? {} : { value }) }
    if (type !== 'truth') return { ...setting, type: type === 'list' ? 'list' : 'string' }
    return { ...setting, type: 'optional', bare: 'true', value: 'bool' }
  })
}

export function environmentName(name: string): string {
  return `KATMAN_REGISTRY_${name.toUpperCase().replaceAll('-', '_')}`
}
