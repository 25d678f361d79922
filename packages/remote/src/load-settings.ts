import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { invalid, readCertsDir } from './certs-dir.ts'
import { readHostsDir } from './hosts-toml.ts'
import { readRegistriesConf } from './registries-conf.ts'
import type { ProxySettings, RegistryRule, RemoteSettings, TlsSettings } from './settings.ts'

export interface LoadOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The user's home. Default: that of the process. */
  readonly home?: string
  /** Where the machine's configuration lies. Default `/etc`. */
  readonly etc?: string
}

/**
 * Reads what the machine and the user have configured about registries: `certs.d` of docker and containers,
 * containerd's `hosts.toml`, `registries.conf`, docker's `daemon.json` (mirrors and insecure registries), proxy variables,
 * `SSL_CERT_FILE`, `SSL_CERT_DIR`, `KATMAN_INSECURE_REGISTRIES` (hosts, comma-separated) and
 * `KATMAN_TRUSTED_REALMS` (`registry=host`, comma-separated). The user's files come after the machine's and win.
 * Throws `SETTINGS_INVALID`.
 */
export async function loadSettings(options: LoadOptions): Promise<RemoteSettings> {
  const { env } = options
  const home = options.home ?? (env['HOME'] || homedir())
  const etc = options.etc ?? '/etc'
  const config = env['XDG_CONFIG_HOME'] || path.join(home, '.config')
  const daemon = await readDaemonJson(path.join(etc, 'docker', 'daemon.json'))
  const rules = [
    daemon.rules,
    await readHostsDir(path.join(etc, 'containerd', 'certs.d')),
    await readHostsDir(path.join(config, 'containerd', 'certs.d')),
    ...(await readAllRegistriesConf(env, etc, config)),
  ]
  return {
    insecureRegistries: [...words(env['KATMAN_INSECURE_REGISTRIES']), ...daemon.insecureRegistries],
    tls: await readTls([
      path.join(etc, 'containerd', 'certs.d'),
      path.join(etc, 'containers', 'certs.d'),
      path.join(etc, 'docker', 'certs.d'),
      path.join(config, 'containers', 'certs.d'),
    ]),
    rootCertificates: {
      files: env['SSL_CERT_FILE'] ? [env['SSL_CERT_FILE']] : [],
      directories: (env['SSL_CERT_DIR'] ?? '').split(':').filter((name) => name !== ''),
    },
    rules: [...new Map(rules.flat().map((rule) => [rule.prefix, rule])).values()],
    proxies: readProxies(env),
    trustedRealms: readTrustedRealms(words(env['KATMAN_TRUSTED_REALMS'])),
  }
}

async function readAllRegistriesConf(
  env: LoadOptions['env'],
  etc: string,
  config: string,
): Promise<readonly (readonly RegistryRule[])[]> {
  const named = env['CONTAINERS_REGISTRIES_CONF']
  if (named) return [await readRegistriesConf(named)]
  return [
    await readRegistriesConf(path.join(etc, 'containers', 'registries.conf')),
    await readRegistriesConf(path.join(config, 'containers', 'registries.conf')),
  ]
}

async function readTls(directories: readonly string[]): Promise<ReadonlyMap<string, TlsSettings>> {
  const result = new Map<string, TlsSettings>()
  for (const directory of directories) {
    for (const [host, own] of await readCertsDir(directory)) {
      const known = result.get(host)
      const ca = [...(known?.ca ?? []), ...(own.ca ?? [])]
      result.set(host, { ...known, ...own, ...(ca.length === 0 ? {} : { ca }) })
    }
  }
  return result
}

function readProxies(env: LoadOptions['env']): ProxySettings {
  const either = (name: string): string | undefined =>
    env[name] || env[name.toLowerCase()] || undefined
  const all = either('ALL_PROXY')
  // In a CGI program HTTP_PROXY is a request header of a stranger.
  const http = (env['REQUEST_METHOD'] ? undefined : either('HTTP_PROXY')) ?? all
  const https = either('HTTPS_PROXY') ?? all
  const none = either('NO_PROXY')
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(none === undefined ? {} : { none }),
  }
}

function readTrustedRealms(pairs: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const result = new Map<string, string[]>()
  for (const pair of pairs) {
    const [registry = '', host = ''] = pair.split('=')
    if (registry === '' || host === '') {
      throw invalid('KATMAN_TRUSTED_REALMS', `${JSON.stringify(pair)} is not registry=host`)
    }
    result.set(registry, [...(result.get(registry) ?? []), host])
  }
  return result
}

async function readDaemonJson(file: string): Promise<{
  readonly insecureRegistries: readonly string[]
  readonly rules: readonly RegistryRule[]
}> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch {
    return { insecureRegistries: [], rules: [] }
  }
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw invalid(file, 'no valid JSON', cause)
  }
  const mirrors = stringList(document, 'registry-mirrors').map((address) => {
    const url = URL.parse(address)
    if (url === null) throw invalid(file, `${JSON.stringify(address)} is no mirror address`)
    const own = url.pathname.replace(/\/+$/, '')
    const scheme = url.protocol === 'http:' ? ('http' as const) : ('https' as const)
    return { host: url.host, scheme, pathPrefix: `${own}/v2` }
  })
  return {
    insecureRegistries: stringList(document, 'insecure-registries'),
    rules: mirrors.length === 0 ? [] : [{ prefix: 'docker.io', mirrors }],
  }
}

function stringList(document: unknown, key: string): readonly string[] {
  if (typeof document !== 'object' || document === null) return []
  const value: unknown = Reflect.get(document, key)
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function words(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}
