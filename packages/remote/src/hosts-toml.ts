import path from 'node:path'
import { invalid, list, readPem } from './certs-dir.ts'
import type { HostCapabilities, RegistryHost, RegistryRule, TlsSettings } from './settings.ts'
import { flag, isTable, readToml, type Table, text, texts } from './toml-fields.ts'

/**
 * Reads containerd's registry host folders: `<host>/hosts.toml`, with `_default` for every registry without its
 * own (containerd docs/hosts.md). Throws `SETTINGS_INVALID`.
 */
export async function readHostsDir(directory: string): Promise<readonly RegistryRule[]> {
  const rules: RegistryRule[] = []
  for (const name of await list(directory)) {
    const file = path.join(directory, name, 'hosts.toml')
    const document = await readToml(file)
    if (document !== undefined) rules.push(await readRule(document, name, file))
  }
  return rules
}

async function readRule(document: Table, folder: string, file: string): Promise<RegistryRule> {
  // Where a colon cannot be in a file name, the port is written `_5000_`.
  const prefix = folder === '_default' ? '*' : folder.replace(/_(\d+)_$/, ':$1')
  const hosts = document['host'] ?? {}
  if (!isTable(hosts)) throw invalid(file, 'host is not a table')
  const mirrors: RegistryHost[] = []
  for (const [address, fields] of Object.entries(hosts)) {
    if (!isTable(fields)) throw invalid(file, `host ${address} is not a table`)
    mirrors.push({ ...(await readHost(address, fields, file)), namespaceQuery: true })
  }
  const server = text(document, 'server', file)
  if (server === undefined || server === '') return { prefix, mirrors }
  const origin = await readHost(server, { ...document, capabilities: undefined }, file)
  return { prefix, mirrors, origin }
}

async function readHost(address: string, fields: Table, file: string): Promise<RegistryHost> {
  const url = URL.parse(address.includes('://') ? address : `https://${address}`)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw invalid(file, `${JSON.stringify(address)} is no http address`)
  }
  const own = url.pathname.replace(/\/+$/, '')
  const asWritten = flag(fields, 'override_path', file) || own.endsWith('/v2')
  const capabilities = readCapabilities(texts(fields, 'capabilities', file), file)
  const tls = await readTls(fields, file)
  return {
    host: url.host,
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    pathPrefix: asWritten ? own : `${own}/v2`,
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(flag(fields, 'skip_verify', file) ? { skipVerify: true } : {}),
    ...(tls === undefined ? {} : { tls }),
  }
}

function readCapabilities(
  words: readonly string[] | undefined,
  file: string,
): HostCapabilities | undefined {
  if (words === undefined) return undefined
  const unknown = words.find((word) => !['pull', 'resolve', 'push', 'referrers'].includes(word))
  if (unknown !== undefined) throw invalid(file, `unknown capability ${JSON.stringify(unknown)}`)
  return {
    pull: words.includes('pull'),
    resolve: words.includes('resolve'),
    push: words.includes('push'),
  }
}

async function readTls(fields: Table, file: string): Promise<TlsSettings | undefined> {
  const near = (name: string): string => path.resolve(path.dirname(file), name)
  const ca: string[] = []
  for (const name of texts(fields, 'ca', file) ?? []) ca.push(await readPem(near(name)))
  const { client } = fields
  const first: unknown = Array.isArray(client) ? client[0] : client
  const [certFile, keyFile]: readonly unknown[] = Array.isArray(first) ? first : [first, first]
  if (ca.length === 0 && certFile === undefined) return undefined
  if (certFile === undefined) return { ca }
  if (typeof certFile !== 'string' || typeof keyFile !== 'string') {
    throw invalid(file, 'client is not a file or a pair of files')
  }
  return {
    ...(ca.length === 0 ? {} : { ca }),
    cert: await readPem(near(certFile)),
    key: await readPem(near(keyFile || certFile)),
  }
}
