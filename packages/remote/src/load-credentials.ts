import { homedir } from 'node:os'
import path from 'node:path'
import { isKatmanError } from '@katman/oci'
import {
  type AuthDocument,
  credentialIn,
  objectAt,
  parseAuthDocument,
  readAuthFile,
  textAt,
  withEntry,
  writeAuthFile,
} from './auth-file.ts'
import type { Credential, CredentialSource } from './credential.ts'
import { createCredentialHelper, type StorableCredential } from './credential-helper.ts'
import type { HelperSurroundings } from './helper-process.ts'

export interface LoadCredentialsOptions extends Pick<HelperSurroundings, 'env' | 'signal'> {
  /** The user's home. Default: that of the process. */
  readonly home?: string
  /** How long a credential helper may take. Default 2 minutes. */
  readonly helperTimeoutMs?: number
  /**
   * Takes lines for stderr: a file that is passed over, a helper that failed when it was asked and so has no credential.
   * Without it the failure of a helper is thrown.
   */
  readonly warn?: (line: string) => void
}

/** The user's credentials, to look up and to change. Registries are named as in references: `docker.io`, `host[:port]`. */
export interface CredentialStore extends CredentialSource {
  /** docker's `config.json`, which `store` and `erase` change. */
  readonly file: string
  /**
   * Keeps a credential: in the configured helper, else in `config.json`. Resolves with docker's warning when it is
   * newly kept as plain text. Throws `CREDENTIALS_FAILED`.
   */
  store(registry: string, credential: StorableCredential): Promise<{ readonly warning?: string }>
  /** Forgets the credential of a registry; fine when there is none. */
  erase(registry: string): Promise<void>
}

/** The key of Docker Hub in docker's files and helpers. */
const hubKey = 'https://index.docker.io/v1/'

/**
 * Reads the user's credentials, in order: `DOCKER_AUTH_CONFIG`, docker's `config.json` (`DOCKER_CONFIG`, credential
 * helpers first), `REGISTRY_AUTH_FILE`, `$XDG_RUNTIME_DIR/containers/auth.json`, `~/.config/containers/auth.json`.
 * A broken file is passed over.
 */
export async function loadCredentials(options: LoadCredentialsOptions): Promise<CredentialStore> {
  const { env } = options
  const home = options.home ?? (env['HOME'] || homedir())
  const file = path.join(env['DOCKER_CONFIG'] || path.join(home, '.docker'), 'config.json')
  const { warn } = options
  const surroundings = { env, signal: options.signal, timeoutMs: options.helperTimeoutMs }
  // A helper is a program, and may ask its user: it is asked once for a server.
  const asked = new Map<string, Promise<Credential | undefined>>()
  const askHelper = (helper: string, server: string): Promise<Credential | undefined> => {
    const key = JSON.stringify([helper, server])
    let answer = asked.get(key)
    if (answer === undefined) {
      answer = askOrWarn(helper, server, { ...surroundings, warn })
      asked.set(key, answer)
    }
    return answer
  }

  const inline = env['DOCKER_AUTH_CONFIG']
  const documents: AuthDocument[] = []
  const config = await tolerated(() => readAuthFile(file), file, warn)
  if (inline) {
    const parsed = await tolerated(
      async () => parseAuthDocument(inline, 'DOCKER_AUTH_CONFIG'),
      'DOCKER_AUTH_CONFIG',
      warn,
    )
    if (parsed !== undefined) documents.push({ auths: objectAt(parsed, 'auths') ?? {} })
  }
  if (config !== undefined) documents.push(config)
  for (const other of containersFiles(env, home)) {
    const document = await tolerated(() => readAuthFile(other), other, warn)
    if (document !== undefined) documents.push(document)
  }

  return {
    file,
    async get(registry, repository) {
      for (const document of documents) {
        const found = await lookUp(document, registry, repository, askHelper)
        if (found !== undefined) return found
      }
      return undefined
    },
    async store(registry, credential) {
      asked.clear()
      const current = (await readAuthFile(file)) ?? {}
      const key = serverKey(registry)
      const helper = helperFor(current, [key])
      if (helper !== undefined) {
        await createCredentialHelper(helper, surroundings).store(key, credential)
        await writeAuthFile(file, withEntry(current, key, 'elsewhere'))
        return {}
      }
      const changed = withEntry(current, key, credential)
      if (JSON.stringify(objectAt(current, 'auths')) === JSON.stringify(changed['auths'])) return {}
      await writeAuthFile(file, changed)
      return credential.kind === 'basic' ? { warning: plainTextWarning(file) } : {}
    },
    async erase(registry) {
      asked.clear()
      const current = await readAuthFile(file)
      if (current === undefined) return
      const keys =
        registry === 'docker.io'
          ? [hubKey]
          : [registry, `http://${registry}`, `https://${registry}`]
      const helper = helperFor(current, keys)
      if (helper !== undefined) {
        for (const key of keys) await createCredentialHelper(helper, surroundings).erase(key)
      }
      const known = keys.filter((key) => objectAt(objectAt(current, 'auths'), key) !== undefined)
      if (known.length === 0) return
      await writeAuthFile(
        file,
        known.reduce((document, key) => withEntry(document, key, undefined), current),
      )
    },
  }
}

async function lookUp(
  document: AuthDocument,
  registry: string,
  repository: string | undefined,
  askHelper: (helper: string, server: string) => Promise<Credential | undefined>,
): Promise<Credential | undefined> {
  const keys = lookUpKeys(registry, repository)
  const hostKeys = hostOnlyKeys(registry)
  const helper = helperFor(document, hostKeys)
  if (helper !== undefined) {
    const found = await askHelper(helper, serverKey(registry))
    if (found !== undefined) return found
  }
  return credentialIn(document, keys)
}

async function askOrWarn(
  helper: string,
  server: string,
  options: HelperSurroundings & { readonly warn: LoadCredentialsOptions['warn'] | undefined },
): Promise<Credential | undefined> {
  try {
    return await createCredentialHelper(helper, options).get(server)
  } catch (error) {
    if (options.warn === undefined || !isKatmanError(error)) throw error
    options.warn(`WARNING: ${error.message}; going on without its credentials`)
    return undefined
  }
}

function helperFor(document: AuthDocument, keys: readonly string[]): string | undefined {
  const helpers = objectAt(document, 'credHelpers')
  for (const key of keys) {
    const helper = textAt(helpers, key)
    if (helper !== undefined) return helper
  }
  return textAt(document, 'credsStore')
}

function serverKey(registry: string): string {
  return registry === 'docker.io' ? hubKey : registry
}

/** Keys from the most to the least special; hosts are compared whole, never by their ending. */
function lookUpKeys(registry: string, repository: string | undefined): readonly string[] {
  const keys: string[] = []
  const parts = repository?.split('/') ?? []
  for (let count = parts.length; count > 0; count--) {
    keys.push(`${registry}/${parts.slice(0, count).join('/')}`)
  }
  return [...keys, ...hostOnlyKeys(registry)]
}

function hostOnlyKeys(registry: string): readonly string[] {
  if (registry === 'docker.io') {
    return [hubKey, 'https://index.docker.io/v1', 'index.docker.io', 'docker.io']
  }
  return [
    registry,
    ...['https://', 'http://'].flatMap((scheme) =>
      ['', '/', '/v1', '/v1/', '/v2', '/v2/'].map((ending) => `${scheme}${registry}${ending}`),
    ),
  ]
}

function containersFiles(env: LoadCredentialsOptions['env'], home: string): readonly string[] {
  const named = env['REGISTRY_AUTH_FILE']
  const runtime = env['XDG_RUNTIME_DIR']
  const config = env['XDG_CONFIG_HOME'] || path.join(home, '.config')
  return [
    ...(named ? [named] : []),
    ...(runtime ? [path.join(runtime, 'containers', 'auth.json')] : []),
    path.join(config, 'containers', 'auth.json'),
  ]
}

async function tolerated<T>(
  read: () => Promise<T | undefined>,
  file: string,
  warn: LoadCredentialsOptions['warn'] | undefined,
): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!isKatmanError(error)) throw error
    warn?.(`WARNING: Error parsing config file (${file}): ${String(error.details['reason'])}`)
    return undefined
  }
}

function plainTextWarning(file: string): string {
  return `
WARNING! Your credentials are stored unencrypted in '${file}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

`
}
