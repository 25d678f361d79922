import { readFile } from 'node:fs/promises'
import { KatmanError } from '@katman/oci'
import type { Environment } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { each } from '../sync/read-choice.ts'
import { readYaml, type YamlValue } from '../sync/yaml-reader.ts'
import { flagKey } from '../terminal/flags.ts'
import { readSections, sectionNames, type Sections } from './config-sections.ts'
import { environmentName, type Setting, type SettingName, settings } from './settings.ts'

type Origin = 'flag' | 'environment' | 'file' | 'default'

/** What was chosen, as text, and where. */
export interface Settings {
  /** Undefined when nobody said anything. */
  text(name: SettingName): string | undefined
  list(name: SettingName): readonly string[]
  truth(name: SettingName): boolean
  readonly sections: Sections
  /** Each setting with its value, as YAML that the file could have, and where it is from. */
  print(defaults: Readonly<Partial<Record<SettingName, string>>>): string
}

interface Found {
  readonly values: readonly string[]
  readonly origin: Origin
}

/**
 * Reads the settings of a server: a flag before the environment, that before the file. Every key of the file must be known.
 *
 * @throws CommandFailure with the file, the line and the key, or the name of the variable.
 */
export async function readSettings(
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  file: string | undefined,
): Promise<Settings> {
  const root = file === undefined ? undefined : await readFileOf(file)
  const keys = [...settings.map(({ name }) => name), ...sectionNames]
  const fields = root === undefined || root.isEmpty ? {} : root.fields(keys)
  const found = new Map<string, Found>()
  for (const setting of settings) {
    const one =
      fromFlag(setting, flags) ?? fromEnvironment(setting, env) ?? fromFile(setting, fields)
    if (one !== undefined) found.set(setting.name, one)
  }
  return {
    text: (name) => found.get(name)?.values[0],
    list: (name) => found.get(name)?.values ?? [],
    truth: (name) => found.get(name)?.values[0] === 'true',
    sections: readSections(fields),
    print(defaults) {
      const lines = settings.map(({ name, type, isSecret }: Setting) => {
        const usual = Object.hasOwn(defaults, name) ? defaults[name as SettingName] : undefined
        const { values, origin } = found.get(name) ?? {
          values: usual === undefined ? [] : [usual],
          origin: 'default',
        }
        const texts = isSecret === true ? values.map(hidePassword) : values
        const shown = type === 'list' ? `[${texts.map(yamlText).join(', ')}]` : yamlText(texts[0])
        return `${name}: ${shown} # ${origin}\n`
      })
      const inFile = sectionNames.filter((name) => Object.hasOwn(fields, name))
      return [...lines, ...inFile.map((name) => `# ${name}: as in the file\n`)].join('')
    },
  }
}

function fromFlag(
  { name, type }: Setting,
  flags: Readonly<Record<string, unknown>>,
): Found | undefined {
  const given = flags[flagKey(name)]
  if (Array.isArray(given)) {
    return given.length === 0 ? undefined : { values: given.map(String), origin: 'flag' }
  }
  if (typeof given !== 'string') return undefined
  if (type === 'truth') checkTruth(given, `--${name}`)
  return { values: [given], origin: 'flag' }
}

function fromEnvironment({ name, type }: Setting, env: Environment): Found | undefined {
  const text = env[environmentName(name)]
  if (text === undefined || text === '') return undefined
  if (type === 'truth') checkTruth(text, environmentName(name))
  const values = type === 'list' ? text.split(',').map((one) => one.trim()) : [text]
  return { values, origin: 'environment' }
}

function fromFile(
  { name, type }: Setting,
  fields: Readonly<Partial<Record<string, YamlValue>>>,
): Found | undefined {
  const value = fields[name]
  if (value === undefined || value.isEmpty) return undefined
  const values =
    type === 'truth'
      ? [String(value.boolean())]
      : type === 'list'
        ? each(value, (item) => item.text())
        : [value.text()]
  return { values, origin: 'file' }
}

async function readFileOf(file: string): Promise<YamlValue> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw invalid(`cannot read ${file}: ${reason}`, 'check the path after --config', cause)
  }
  return readYaml(
    text,
    file,
    (message, details) => new KatmanError('REGISTRY_CONFIG_INVALID', message, { details }),
  )
}

function checkTruth(text: string, where: string): void {
  if (text === 'true' || text === 'false') return
  throw invalid(`${where}: '${text}' is neither true nor false`, 'write true or false')
}

/** A failure of the configuration, with what to write instead. */
export function invalid(message: string, hint: string, cause?: unknown): Error {
  return plainFailure(
    new KatmanError('REGISTRY_CONFIG_INVALID', message, {
      hint,
      ...(cause === undefined ? {} : { cause }),
    }),
  )
}

function hidePassword(url: string): string {
  return url.replace(/^([^:]*:\/\/)[^/]*@/, '$1***@')
}

function yamlText(text: string | undefined): string {
  if (text === undefined) return '~'
  return /^[\w./][\w./:-]*$/.test(text) ? text : JSON.stringify(text)
}
