import path from 'node:path'
import { invalid, list } from './certs-dir.ts'
import type { RegistryHost, RegistryRule } from './settings.ts'
import { flag, readToml, type Table, tables, text } from './toml-fields.ts'

/**
 * Reads containers-registries.conf(5), version 2: the file and, after it, `<file>.d/*.conf`; a later rule for the
 * same prefix replaces an earlier one. Throws `SETTINGS_INVALID`.
 */
export async function readRegistriesConf(file: string): Promise<readonly RegistryRule[]> {
  const rules = new Map<string, RegistryRule>()
  const drops = (await list(`${file}.d`)).filter((name) => name.endsWith('.conf'))
  for (const name of [file, ...drops.map((drop) => path.join(`${file}.d`, drop))]) {
    const document = await readToml(name)
    if (document === undefined) continue
    for (const registry of tables(document, 'registry', name)) {
      const rule = readRule(registry, name)
      rules.set(rule.prefix, rule)
    }
  }
  return [...rules.values()]
}

function readRule(registry: Table, file: string): RegistryRule {
  const location = text(registry, 'location', file)
  const prefix = text(registry, 'prefix', file) || location
  if (prefix === undefined || prefix === '') {
    throw invalid(file, 'a registry has neither prefix nor location')
  }
  const digestOnly = flag(registry, 'mirror-by-digest-only', file)
  const insecure = flag(registry, 'insecure', file)
  const mirrors = tables(registry, 'mirror', file).map((mirror): RegistryHost => {
    const place = text(mirror, 'location', file)
    if (place === undefined || place === '') throw invalid(file, 'a mirror has no location')
    const from = text(mirror, 'pull-from-mirror', file) ?? (digestOnly ? 'digest-only' : 'all')
    return {
      ...hostOf(place, flag(mirror, 'insecure', file)),
      capabilities: { pull: from !== 'tag-only', resolve: from !== 'digest-only', push: false },
    }
  })
  // A wildcard has no place of its own: without a location, what it matches stays where it is.
  const movable = location !== undefined && location !== ''
  const origin = movable
    ? hostOf(location, insecure)
    : insecure && !prefix.startsWith('*')
      ? hostOf(prefix, insecure)
      : undefined
  return {
    prefix,
    mirrors,
    ...(flag(registry, 'blocked', file) ? { blocked: true } : {}),
    ...(origin === undefined ? {} : { origin }),
  }
}

function hostOf(location: string, insecure: boolean): RegistryHost {
  const slash = location.indexOf('/')
  const host = slash === -1 ? location : location.slice(0, slash)
  return {
    host: host === 'docker.io' ? 'registry-1.docker.io' : host,
    repositoryPrefix: slash === -1 ? '' : location.slice(slash + 1).replace(/\/+$/, ''),
    ...(insecure ? { insecure: true } : {}),
  }
}
