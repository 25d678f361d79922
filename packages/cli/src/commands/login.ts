import { isKatmanError } from '@katman/oci'
import type { CredentialSource } from '@katman/remote'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure, plainFailure } from '../failure.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { standardInput } from '../standard-input.ts'
import { readHidden, readLine, readStdin } from '../terminal/prompt.ts'

export interface LoginFlags {
  readonly username: string | undefined
  readonly password: string | undefined
  readonly passwordStdin: boolean
}

/** The registry docker logs in to when none is named, as its credentials are keyed. */
export const hubServer = 'https://index.docker.io/v1/'

/** `login [SERVER]` */
export async function run(
  context: Context,
  flags: LoginFlags,
  [server = '']: readonly string[],
): Promise<void> {
  const { stderr, stdout } = context
  if (flags.password) {
    if (flags.passwordStdin) {
      throw new CommandFailure(
        'conflicting options: cannot specify both --password and --password-stdin',
      )
    }
    stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n')
  }
  if (flags.passwordStdin && !flags.username) {
    throw new CommandFailure('the --password-stdin option requires --username to be set')
  }
  const registry = registryOf(server)
  const { loadCredentials, login } = await import('@katman/remote')
  const credentials = await loadCredentials({
    env: context.env,
    signal: context.signal,
    warn: (line) => stderr.write(`${escapeTerminal(line)}\n`),
  })
  await using remote = await context.openRemote()
  const tryOut = async ({ username, password }: Given): Promise<void> => {
    const account = { registry, username, password, signal: context.signal }
    const { warning } = await login(remote, credentials, account)
    if (warning !== undefined) stderr.write(warning)
    stdout.write('Login Succeeded\n')
  }
  // docker looks at what it has stored only when nothing is said about who logs in.
  const isUnsaid = !flags.username && !flags.password
  const stored = isUnsaid ? await storedCredentials(credentials, registry) : undefined
  if (stored !== undefined) {
    stderr.write(
      `Authenticating with existing credentials... [Username: ${escapeTerminal(stored.username)}]\n\n` +
        ` Info -> To login with a different account, run '${context.program} logout' followed by '${context.program} login'\n\n\n`,
    )
    try {
      return await tryOut(stored)
    } catch (error) {
      context.signal.throwIfAborted()
      const { message } = loginFailure(error)
      stderr.write(`Login did not succeed, error: ${escapeTerminal(message, { newlines: true })}\n`)
    }
  }
  const given = await givenCredentials(context, flags)
  const account = given ?? (await askedCredentials(context, flags, registry, stored?.username))
  try {
    await tryOut(account)
  } catch (error) {
    throw loginFailure(error)
  }
}

interface Given {
  readonly username: string
  readonly password: string
}

/** Keeping the credentials is the client's work in docker, trying them the engine's. */
function loginFailure(error: unknown): CommandFailure {
  return isKatmanError(error, 'CREDENTIALS_FAILED') ? plainFailure(error) : daemonFailure(error)
}

async function storedCredentials(
  credentials: CredentialSource,
  registry: string,
): Promise<Given | undefined> {
  const stored = await credentials.get(registry)
  return stored?.kind === 'basic' && stored.username !== '' && stored.password !== ''
    ? stored
    : undefined
}

async function givenCredentials(context: Context, flags: LoginFlags): Promise<Given | undefined> {
  if (flags.passwordStdin) {
    const text = await readStdin(standardInput(context))
    const password = text.replace(/\r?\n$/, '')
    return password === '' ? undefined : { username: flags.username ?? '', password }
  }
  if (flags.username && flags.password)
    return { username: flags.username, password: flags.password }
  return undefined
}

async function askedCredentials(
  context: Context,
  flags: LoginFlags,
  registry: string,
  usual: string | undefined,
): Promise<Given> {
  const { stdin, stdout, signal } = context
  if (!stdin.isTTY) {
    throw new CommandFailure('Error: Cannot perform an interactive login from a non TTY device')
  }
  const choice = usual === undefined ? '' : ` (${escapeTerminal(usual)})`
  const question = `Username for ${registry}${choice}: `
  const username = flags.username || (await readLine(stdin, stdout, question, signal)) || usual
  if (!username) throw new CommandFailure('Error: Non-null Username Required')
  const password = flags.password || (await readHidden(stdin, stdout, 'Password: ', signal))
  if (password === '') throw new CommandFailure('Error: Password Required')
  return { username, password }
}

/** The host of a server argument: `https://host/v1/` and `host` name the same. */
export function registryOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/')[0] ?? ''
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io'
    ? 'docker.io'
    : host
}
