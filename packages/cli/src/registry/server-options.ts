import path from 'node:path'
import type { ListenAddress, RegistryOptions, ServerOptions } from '@katman/registry'
import type { Context } from '../context.ts'
import { parseGoDuration } from '../terminal/go-time.ts'
import { version } from '../version.ts'
import { invalid, type Settings } from './read-settings.ts'
import type { SettingName } from './settings.ts'

export const defaultListen = '127.0.0.1:5000'
export const defaultStopTimeout = '1m'

/** The folder a registry has when none is chosen: beside the local store. */
export function defaultData(context: Context): string {
  return path.join(context.root, 'registry')
}

/** Reads each setting, and says which one cannot be. */
export function toServerOptions(settings: Settings, context: Context): ServerOptions {
  const metricsListen = settings.text('metrics-listen')
  const publicUrl = settings.text('public-url')
  const threads = countOf(settings, 'threads', 64)
  const maxConnections = countOf(settings, 'max-connections', 1_000_000)
  const tls = tlsOf(settings)
  return {
    registry: {
      ...settings.sections,
      ...placesOf(settings, context),
      isOpen: settings.truth('open'),
      allowSparse: settings.truth('allow-sparse'),
      ...(publicUrl === undefined ? {} : { publicUrl: urlOf(publicUrl) }),
    },
    listen: addressOf(settings.text('listen') ?? defaultListen, 'listen'),
    ...(tls === undefined ? {} : { tls }),
    ...(metricsListen === undefined
      ? {}
      : { metricsListen: addressOf(metricsListen, 'metrics-listen') }),
    ...(threads === undefined ? {} : { threads }),
    ...(maxConnections === undefined ? {} : { limits: { maxConnections } }),
    trustedProxies: settings.list('trusted-proxy'),
    stopDelayMs: durationOf(settings, 'stop-delay') ?? 0,
    stopTimeoutMs: durationOf(settings, 'stop-timeout') ?? 60_000,
    version,
  }
}

/** A folder is needed only for what is neither in a database nor in a bucket of its own. */
function placesOf(
  settings: Settings,
  context: Context,
): Pick<RegistryOptions, 'database' | 'folder' | 'redirects' | 'storage'> {
  const [database, storage] = [settings.text('db'), settings.text('storage')]
  const needsFolder = database === undefined || storage === undefined
  const neverFor = settings.list('redirect-never')
  return {
    ...(database === undefined ? {} : { database }),
    ...(storage === undefined ? {} : { storage }),
    ...(needsFolder ? { folder: path.resolve(settings.text('data') ?? defaultData(context)) } : {}),
    ...(settings.truth('redirect') ? { redirects: { neverFor } } : {}),
  }
}

/** `host:port`, `[::1]:5000`, `:5000` for every address. */
function addressOf(text: string, name: SettingName): ListenAddress {
  const [, bracketed, plain, port = ''] =
    /^(?:\[([0-9a-f:.%]+)\]|([^:[\]/]*)):(\d{1,5})$/i.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535) {
    throw invalid(
      `${name}: '${text}' is no address`,
      'write HOST:PORT, [::1]:PORT, or :PORT for every address',
    )
  }
  return { host: host === '' ? '::' : host, port: Number(port) }
}

function tlsOf(settings: Settings): ServerOptions['tls'] {
  const [certificate, key] = [settings.text('tls-cert'), settings.text('tls-key')]
  if (certificate === undefined && key === undefined) return undefined
  if (certificate === undefined || key === undefined) {
    const missing = key === undefined ? 'tls-key' : 'tls-cert'
    throw invalid(`${missing} is missing`, 'TLS needs a certificate and its key')
  }
  return { certificate, key }
}

function urlOf(text: string): string {
  const url = URL.parse(text)
  if (
    url === null ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search !== ''
  ) {
    throw invalid(
      `public-url: '${text}' is no address of a server`,
      'write https://registry.example',
    )
  }
  return url.origin
}

function countOf(settings: Settings, name: SettingName, most: number): number | undefined {
  const text = settings.text(name)
  if (text === undefined) return undefined
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= most) return count
  throw invalid(`${name}: '${text}' is no number from 1 to ${most}`, 'write a whole number')
}

function durationOf(settings: Settings, name: SettingName): number | undefined {
  const text = settings.text(name)
  if (text === undefined) return undefined
  const duration = parseGoDuration(text)
  if (duration !== undefined && duration >= 0 && duration <= 86_400_000) return duration
  throw invalid(
    `${name}: '${text}' is no duration`,
    'write hours, minutes or seconds: 1h, 10m, 90s',
  )
}
