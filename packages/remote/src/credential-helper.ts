import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'
import { KatmanError } from '@katman/oci'
import type { Credential } from './credential.ts'
import { shownText } from './shown.ts'

const maxOutputBytes = 64 * 1024
const timeoutMs = 60_000
const notFound = /credentials not found in native keychain/i

/** A `docker-credential-<name>` program. */
export interface CredentialHelper {
  readonly name: string
  /** The credential for a server; undefined when the helper has none, or is not installed. */
  get(server: string): Promise<Credential | undefined>
  store(server: string, credential: StorableCredential): Promise<void>
  /** Forgets a server; one that is not there is fine. */
  erase(server: string): Promise<void>
}

/** What can be kept for later. */
export type StorableCredential = Extract<Credential, { kind: 'basic' | 'identity' }>

/**
 * Speaks the credential helper protocol. The program is looked up in the absolute folders of `PATH` only, never in
 * the current one. Throws `CREDENTIALS_FAILED` for an unsafe name, a server with control characters, and a helper
 * that fails.
 */
export function createCredentialHelper(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): CredentialHelper {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw failed(name, 'the name of the helper is not safe')
  }
  const program = `docker-credential-${name}`

  async function call(
    action: string,
    input: string,
    required: boolean,
  ): Promise<Outcome | undefined> {
    const file = await findProgram(program, env['PATH'] ?? '')
    if (file !== undefined) return run(file, action, input, env)
    if (!required) return undefined
    throw failed(name, `exec: "${program}": executable file not found in $PATH`)
  }

  return {
    name,
    async get(server) {
      const outcome = await call('get', checkedServer(name, server), false)
      if (outcome === undefined) return undefined
      if (outcome.code !== 0) {
        if (notFound.test(outcome.stdout)) return undefined
        throw failed(name, outcome.stdout || outcome.stderr || `it ended with ${outcome.code}`)
      }
      return readCredential(name, outcome.stdout)
    },
    async store(server, credential) {
      const document = JSON.stringify({
        ServerURL: checkedServer(name, server),
        Username: credential.kind === 'identity' ? '<token>' : credential.username,
        Secret: credential.kind === 'identity' ? credential.token : credential.password,
      })
      const outcome = await call('store', document, true)
      if (outcome?.code !== 0)
        throw failed(name, outcome?.stdout || outcome?.stderr || 'store failed')
    },
    async erase(server) {
      const outcome = await call('erase', checkedServer(name, server), true)
      if (outcome?.code !== 0 && !notFound.test(outcome?.stdout ?? '')) {
        throw failed(name, outcome?.stdout || outcome?.stderr || 'erase failed')
      }
    },
  }
}

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A line break in the server would be a second line of the protocol. */
function checkedServer(name: string, server: string): string {
  if (/[\u0000-\u0020\u007f]/.test(server))
    throw failed(name, 'the server name holds a control character')
  return server
}

async function findProgram(program: string, searchPath: string): Promise<string | undefined> {
  for (const directory of searchPath.split(path.delimiter)) {
    if (!path.isAbsolute(directory)) continue
    const file = path.join(directory, program)
    try {
      await access(file, constants.X_OK)
      return file
    } catch {
      // The next folder may have it.
    }
  }
  return undefined
}

async function run(
  file: string,
  action: string,
  input: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Outcome> {
  const { spawn } = process.getBuiltinModule('node:child_process')
  const child = spawn(file, [action], {
    env: { ...env },
    cwd: path.dirname(file),
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  // A helper that does not read its input is no failure of ours.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [stdout, stderr, code] = await Promise.all([
    collect(child, child.stdout),
    collect(child, child.stderr),
    ended,
  ])
  return { code, stdout: stdout.trim(), stderr: stderr.trim() }
}

async function collect(child: ChildProcess, stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.byteLength
    if (size > maxOutputBytes) {
      child.kill('SIGKILL')
      break
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function readCredential(name: string, output: string): Credential | undefined {
  let document: unknown
  try {
    document = JSON.parse(output)
  } catch {
    throw failed(name, 'its answer is no JSON')
  }
  if (typeof document !== 'object' || document === null)
    throw failed(name, 'its answer is no object')
  const username: unknown = Reflect.get(document, 'Username')
  const secret: unknown = Reflect.get(document, 'Secret')
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw failed(name, 'its answer has no Username and Secret')
  }
  if (username === '' && secret === '') return undefined
  return username === '<token>'
    ? { kind: 'identity', username: '', token: secret }
    : { kind: 'basic', username, password: secret }
}

function failed(name: string, reason: string): KatmanError {
  const shown = shownText(name)
  return new KatmanError(
    'CREDENTIALS_FAILED',
    `credential helper ${JSON.stringify(shown)}: ${shownText(reason)}`,
    {
      hint: 'check credsStore and credHelpers in config.json',
      details: { helper: shown, reason: shownText(reason) },
    },
  )
}
