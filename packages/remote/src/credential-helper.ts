import { KatmanError } from '@katman/oci'
import type { Credential } from './credential.ts'
import {
  findProgram,
  type HelperOutcome,
  type HelperSurroundings,
  runHelper,
} from './helper-process.ts'
import { shownText } from './shown.ts'

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
 * that fails, hangs or answers nonsense; of `store` with docker's text.
 */
export function createCredentialHelper(
  name: string,
  surroundings: HelperSurroundings,
): CredentialHelper {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw failed(name, 'the name of the helper is not safe')
  }
  const program = `docker-credential-${name}`
  const missing = `exec: "${program}": executable file not found in $PATH`

  /** Undefined when the helper is not installed. */
  async function call(action: string, input: string): Promise<HelperOutcome | undefined> {
    const file = await findProgram(program, surroundings.env['PATH'] ?? '')
    if (file === undefined) return undefined
    try {
      return await runHelper(file, action, input, surroundings)
    } catch (error) {
      surroundings.signal?.throwIfAborted()
      throw failed(name, error instanceof Error ? error.message : String(error))
    }
  }

  return {
    name,
    async get(server) {
      const outcome = await call('get', checkedServer(name, server))
      if (outcome === undefined) return undefined
      if (outcome.code === 0 && outcome.trouble === undefined) {
        return readCredential(name, outcome.stdout)
      }
      if (outcome.trouble === undefined && notFound.test(outcome.stdout)) return undefined
      throw failed(name, reasonOf(outcome))
    },
    async store(server, credential) {
      const document = JSON.stringify({
        ServerURL: checkedServer(name, server),
        Username: credential.kind === 'identity' ? '<token>' : credential.username,
        Secret: credential.kind === 'identity' ? credential.token : credential.password,
      })
      const outcome = await call('store', document)
      if (outcome === undefined) throw notStored(name, missing)
      if (outcome.code !== 0) throw notStored(name, exitText(outcome), outcome)
    },
    async erase(server) {
      const outcome = await call('erase', checkedServer(name, server))
      if (outcome === undefined) throw failed(name, missing)
      if (outcome.code !== 0 && !notFound.test(outcome.stdout)) {
        throw failed(name, reasonOf(outcome))
      }
    },
  }
}

/** A line break in the server would be a second line of the protocol. */
function checkedServer(name: string, server: string): string {
  if (/[\u0000-\u0020\u007f]/.test(server))
    throw failed(name, 'the server name holds a control character')
  return server
}

function reasonOf(outcome: HelperOutcome): string {
  return outcome.trouble ?? (outcome.stdout || outcome.stderr || exitText(outcome))
}

function exitText({ code, trouble }: HelperOutcome): string {
  return trouble ?? (code === null ? 'it was killed' : `exit status ${code}`)
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

/** docker's words for a login that was good and could not be kept; the helper's own come first, as there. */
function notStored(
  name: string,
  why: string,
  { stdout, stderr }: Pick<HelperOutcome, 'stdout' | 'stderr'> = { stdout: '', stderr: '' },
): KatmanError {
  const said = [why, stdout, stderr].filter((text) => text !== '').join(': ')
  const { message, hint = '', details } = failed(name, said)
  const before = stderr === '' ? '' : `${shownText(stderr)}\n`
  const told = `error storing credentials - err: ${why}, out: \`${shownText(stdout)}\``
  return new KatmanError('CREDENTIALS_FAILED', message, {
    hint,
    details: { ...details, dockerMessage: `${before}Error saving credentials: ${told}` },
  })
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
