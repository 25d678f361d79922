import type { CredentialSource } from '@katman/remote'
import type { Context } from '../context.ts'
import { CommandFailure, daemonFailure } from '../failure.ts'
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
  const credentials = await loadCredentials({ env: context.env })
  const given = await givenCredentials(context, flags)
  const stored = given === undefined ? await storedCredentials(credentials, registry) : undefined
  if (stored !== undefined && (!flags.username || flags.username === stored.username)) {
    stderr.write(
      `Authenticating with existing credentials... [Username: ${stored.username}]\n\n` +
        ` Info -> To login with a different account, run '${context.program} logout' followed by '${context.program} login'\n\n\n`,
    )
  }
  const used = given ?? stored ?? (await askedCredentials(context, flags, registry))
  await using remote = await context.openRemote()
  try {
    const { warning } = await login(remote, credentials, {
      registry,
      ...used,
      signal: context.signal,
    })
    if (warning !== undefined) stderr.write(warning)
  } catch (error) {
    throw daemonFailure(error)
  }
  stdout.write('Login Succeeded\n')
}

interface Given {
  readonly username: string
  readonly password: string
}

async function storedCredentials(
  credentials: CredentialSource,
  registry: string,
): Promise<Given | undefined> {
  const stored = await credentials.get(registry)
  return stored?.kind === 'basic' ? stored : undefined
}

async function givenCredentials(context: Context, flags: LoginFlags): Promise<Given | undefined> {
  if (flags.passwordStdin) {
    const text = await readStdin(context.stdin)
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
): Promise<Given> {
  if (!context.stdin.isTTY) {
    throw new CommandFailure('Error: Cannot perform an interactive login from a non TTY device')
  }
  const username =
    flags.username || (await readLine(context.stdin, context.stdout, `Username for ${registry}: `))
  if (username === '') throw new CommandFailure('Error: Non-null Username Required')
  const password = flags.password || (await readHidden(context.stdin, context.stdout, 'Password: '))
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
