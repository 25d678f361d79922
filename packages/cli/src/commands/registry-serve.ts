import type {
  FirstRun,
  ListenAddress,
  RegistryOptions,
  RunningServer,
  ServerOptions,
} from '@katman/registry'
import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { readSettings } from '../registry/read-settings.ts'
import {
  defaultData,
  defaultListen,
  defaultStopTimeout,
  toServerOptions,
} from '../registry/server-options.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { version } from '../version.ts'

/** `registry serve` */
export async function run(
  context: Context,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  const file =
    typeof flags['config'] === 'string' ? flags['config'] : context.env['KATMAN_REGISTRY_CONFIG']
  const settings = await readSettings(flags, context.env, file === '' ? undefined : file)
  const options = toServerOptions(settings, context)
  if (flags['printConfig'] === true) {
    context.stdout.write(
      settings.print({
        data: defaultData(context),
        listen: defaultListen,
        open: 'false',
        'stop-delay': '0',
        'stop-timeout': defaultStopTimeout,
        'max-connections': '10000',
      }),
    )
    return
  }
  const say = speakerOf(context)
  context.stopGently()
  const server = await startServer(options, context, say)
  announce(server, options, say)
  if (server.firstRun !== undefined) showFirstRun(server.firstRun, context)
  const onHangUp = (): void => {
    server.reloadTls().then(
      () => say('info', 'certificate read again'),
      (error: unknown) => say('error', `the old certificate stays: ${plainFailure(error).message}`),
    )
  }
  process.on('SIGHUP', onHangUp)
  try {
    await Promise.race([server.failed, aborted(context.signal)])
  } finally {
    say('info', 'stopping')
    await server.stop()
    process.off('SIGHUP', onHangUp)
  }
  say('info', 'stopped')
}

async function startServer(
  options: ServerOptions,
  context: Context,
  say: Speaker,
): Promise<RunningServer> {
  const registry = await import('@katman/registry')
  try {
    return await registry.startServer(options, {
      log: (lines) => {
        context.stdout.write(lines)
      },
      warn: (line) => say('warn', line),
    })
  } catch (error) {
    throw plainFailure(error)
  }
}

type Speaker = (level: 'info' | 'warn' | 'error', text: string) => void

/** What is not a request: for people on a terminal, otherwise a line of the log. */
function speakerOf({ stdout, stderr, now }: Context): Speaker {
  return (level, text) => {
    if (stderr.isTerminal) {
      stderr.write(`${level === 'info' ? '' : `${level}: `}${escapeTerminal(text)}\n`)
    } else {
      stdout.write(`${JSON.stringify({ time: now().toISOString(), level, message: text })}\n`)
    }
  }
}

function announce(
  { address, metricsAddress, threads }: RunningServer,
  options: ServerOptions,
  say: Speaker,
): void {
  const scheme = options.tls === undefined ? 'http' : 'https'
  say(
    'info',
    `Katman registry ${version} listens on ${scheme}://${textOf(address)}, ${threads === 1 ? '1 thread' : `${threads} threads`}, data in ${placesText(options.registry)}`,
  )
  if (metricsAddress !== undefined) {
    say('info', `metrics and health on http://${textOf(metricsAddress)}`)
  }
  if (options.registry.isOpen === true && !isLoopback(address)) {
    say(
      'warn',
      `open: everybody who reaches ${textOf(address)} may read, change and delete everything`,
    )
  }
}

/** Not the URLs: they may hold passwords. */
function placesText({ database, folder, storage }: RegistryOptions): string {
  const places = [
    ...(database === undefined ? [] : [database.startsWith('sqlite') ? 'SQLite' : 'PostgreSQL']),
    ...(storage === undefined ? [] : ['S3']),
    ...(folder === undefined ? [] : [folder]),
  ]
  return places.length === 0 ? 'memory' : places.join(' and ')
}

/** Never a line of the log: logs are kept, and read by many. */
function showFirstRun({ account, token }: FirstRun, { stderr }: Context): void {
  stderr.write(
    `First start: the administrator was made. The token is shown only now.\n` +
      `  name   ${account}\n` +
      `  token  ${token}\n`,
  )
}

function isLoopback({ host }: ListenAddress): boolean {
  return host === '::1' || host.startsWith('127.')
}

function textOf({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
