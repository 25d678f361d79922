import path from 'node:path'
import { isKatmanError } from '@katman/oci'
import type { Command } from './command.ts'
import { type Context, type Environment, storeRoot } from './context.ts'
import { CommandFailure, plainFailure } from './failure.ts'
import { childrenOfPath, findCommand } from './find-command.ts'
import { globalFlags } from './global-flags.ts'
import { processOutput } from './output.ts'
import { checkArgumentCount } from './terminal/argument-count.ts'
import { parseArguments } from './terminal/arguments.ts'
import { escapeTerminal } from './terminal/escape.ts'
import type { FlagSpec } from './terminal/flags.ts'
import { suggestNames } from './terminal/suggest.ts'
import { version } from './version.ts'

/** How long a stopped command may tidy up. */
const graceMs = 5000

/** Runs the program: the one place that sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const stop = new AbortController()
  let isGentle = false
  const end = (failure: CommandFailure): void => {
    if (stop.signal.aborted) return
    stop.abort(failure)
    if (isGentle) return
    // Whatever waits and does not hear of it must not keep the program.
    setTimeout(() => process.exit(failure.exitCode), graceMs)
  }
  const onSignal = (name: NodeJS.Signals): void => {
    const exitCode = name === 'SIGINT' ? 130 : 143
    // Asked twice, it tidies up no more.
    if (stop.signal.aborted) process.exit(exitCode)
    end(new CommandFailure('', { exitCode: isGentle ? 0 : exitCode }))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  const stderr = processOutput(process.stderr, 'stderr', end)
  const stdout = processOutput(process.stdout, 'stdout', (failure) => {
    if (failure.message !== '') stderr.write(`${failure.message}\n`)
    end(new CommandFailure('', { exitCode: failure.exitCode, cause: failure }))
  })
  const env: Environment = process.env
  const program = programName(env['KATMAN_PROGRAM'] ?? path.basename(argv[1] ?? ''))
  const exitCode = await runProgram(argv.slice(2), {
    program,
    env,
    root: storeRoot(env, undefined, process.getuid?.() ?? -1),
    stdout,
    stderr,
    get stdin() {
      return process.stdin
    },
    signal: stop.signal,
    now: () => new Date(),
    stopGently() {
      isGentle = true
    },
  })
  await Promise.all([stdout.flushed(), stderr.flushed()])
  process.exitCode = exitCode
  const { signal } = stop
  // A pipe that is still open, or a name that is still looked up, would keep the process.
  if (signal.aborted) {
    process.exit(signal.reason instanceof CommandFailure ? signal.reason.exitCode : exitCode)
  }
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
}

/** The parts of a context that the program is started with; the rest is made here. */
export type Surroundings = Omit<Context, 'openStore' | 'openRemote'>

/** Runs one command line and resolves to its exit code. Never throws. */
export async function runProgram(
  words: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const { stderr } = surroundings
  let debug = words.includes('--debug') || words.includes('-D')
  try {
    const parsed = parseArguments(globalFlags, words, {
      interspersed: false,
      env: surroundings.env,
    })
    debug = parsed.values.debug
    const context = makeContext(surroundings, parsed.values)
    if (parsed.values.version) {
      context.stdout.write(`Katman version ${version}\n`)
      return 0
    }
    return await runWords(context, parsed.positionals, parsed.help)
  } catch (error) {
    return report(await withUsage(error, surroundings.program, []), surroundings, debug, stderr)
  }
}

function makeContext(
  surroundings: Surroundings,
  globals: {
    readonly config: string | undefined
    readonly root: string | undefined
    readonly signaturePolicy: string | undefined
  },
): Context {
  const { config, signaturePolicy } = globals
  const env: Environment = {
    ...surroundings.env,
    ...(config === undefined ? {} : { DOCKER_CONFIG: config }),
    ...(signaturePolicy === undefined ? {} : { KATMAN_SIGNATURE_POLICY: signaturePolicy }),
  }
  const root = path.resolve(globals.root ?? surroundings.root)
  return {
    program: surroundings.program,
    env,
    root,
    stdout: surroundings.stdout,
    stderr: surroundings.stderr,
    get stdin() {
      return surroundings.stdin
    },
    signal: surroundings.signal,
    now: surroundings.now,
    stopGently: () => {
      surroundings.stopGently()
    },
    openStore: async () => (await import('./open-places.ts')).openLocalStore(root, env),
    openRemote: async (choices = {}) =>
      (await import('./open-places.ts')).openRegistries({
        env,
        version,
        signal: surroundings.signal,
        warn: (line) => surroundings.stderr.write(`${escapeTerminal(line)}\n`),
        ...choices,
      }),
  }
}

async function runWords(
  context: Context,
  words: readonly string[],
  help: boolean,
): Promise<number> {
  const { program } = context
  const [first, ...rest] = words
  if (first === 'help' && rest.length > 0) {
    const topic = findCommand(rest)
    if (topic.kind === 'unknown') {
      throw new CommandFailure(`unknown help topic: ${rest.join(' ')}`)
    }
    return showHelp(context, rest, 'stdout')
  }
  if (help || first === 'help')
    return showHelp(context, words.slice(0, 1).filter(isNotHelp), 'stdout')
  if (first === undefined) return showHelp(context, [], 'stderr')
  const found = findCommand(words)
  switch (found.kind) {
    case 'command':
      return runCommand(context, found.command, found.path, words.slice(found.path.length))
    case 'group':
      return showHelp(context, found.group.path, 'stderr')
    case 'unknown': {
      const later = words.slice(found.path.length + 1)
      const flag = words.slice(found.path.length).find((word) => word.startsWith('-'))
      if (found.word.startsWith('-') || (found.path.length === 0 && flag !== undefined)) {
        const parsed = parseArguments(globalFlags, [found.word, ...later])
        if (parsed.help) return showHelp(context, found.path, 'stdout')
      }
      throw await unknownCommand(program, found.path, found.word)
    }
  }
}

function isNotHelp(word: string): boolean {
  return word !== 'help'
}

async function runCommand(
  context: Context,
  command: Command,
  called: readonly string[],
  words: readonly string[],
): Promise<number> {
  const name = [context.program, ...called].join(' ')
  try {
    const parsed = parseArguments(command.flags, words, {
      env: context.env,
      interspersed: command.interspersed ?? true,
    })
    for (const notice of parsed.notices) context.stdout.write(`${notice}\n`)
    if (parsed.help) return await showHelp(context, called, 'stdout')
    checkArgumentCount(name, command.count, parsed.positionals)
    const module = await command.load()
    return (await module.run(context, parsed.values, parsed.positionals)) ?? 0
  } catch (error) {
    throw await withUsage(error, context.program, called)
  }
}

/** Adds docker's lines about usage to an error in the command line. */
async function withUsage(
  error: unknown,
  program: string,
  called: readonly string[],
): Promise<unknown> {
  if (!isKatmanError(error, 'USAGE_FLAG') && !isKatmanError(error, 'USAGE_ARGS')) return error
  const { commandHelp, renderUsageError } = await loadHelp()
  const help = commandHelp(called)
  const text = renderUsageError(error, help, { program }) ?? error.message
  const exitCode = Number(error.details['exitCode'] ?? 1)
  const hint = program === 'docker' ? '' : flagHint(error.message, help.flags ?? [])
  return new CommandFailure(text.trimEnd() + hint, { exitCode, cause: error })
}

/** A line with the option that a misspelt one may have meant; docker has no such line. */
function flagHint(message: string, flags: readonly FlagSpec[]): string {
  const word = /^unknown flag: --(.+)$/.exec(message)?.[1]
  const names = flags.filter(({ hidden }) => hidden !== true).map(({ name }) => name)
  const [nearest] = word === undefined ? [] : suggestNames(word, names)
  return nearest === undefined ? '' : `\nhint: --${nearest}`
}

async function loadHelp(): Promise<Help> {
  const [{ commandHelp }, layout] = await Promise.all([
    import('./help-text.ts'),
    import('./terminal/help.ts'),
  ])
  return { commandHelp, ...layout }
}

type Help = Pick<typeof import('./help-text.ts'), 'commandHelp'> &
  typeof import('./terminal/help.ts')

async function unknownCommand(
  program: string,
  groupPath: readonly string[],
  word: string,
): Promise<CommandFailure> {
  const { commandHelp, renderUnknownCommand } = await loadHelp()
  const text = renderUnknownCommand(escapeTerminal(word), commandHelp(groupPath), { program })
  // docker has no such line; linked as docker, neither have we.
  const names = childrenOfPath(groupPath).map((child) => child.word)
  const [nearest] = program === 'docker' ? [] : suggestNames(word, names)
  const hint = nearest === undefined ? '' : `\nhint: ${[program, ...groupPath, nearest].join(' ')}`
  return new CommandFailure(text.trimEnd() + hint)
}

async function showHelp(
  context: Context,
  called: readonly string[],
  where: 'stdout' | 'stderr',
): Promise<number> {
  const { commandHelp, renderHelp } = await loadHelp()
  const columns = context[where].columns || 80
  context[where].write(renderHelp(commandHelp(called), { program: context.program, columns }))
  return 0
}

/** Prints an error and gives its exit code. */
function report(
  error: unknown,
  surroundings: Surroundings,
  debug: boolean,
  stderr: Surroundings['stderr'],
): number {
  const { signal } = surroundings
  const shown = signal.aborted && signal.reason instanceof CommandFailure ? signal.reason : error
  const failure = plainFailure(shown)
  // Whatever a message quotes from a registry or an image, a terminal only shows it.
  if (failure.message !== '') {
    stderr.write(`${escapeTerminal(failure.message, { newlines: true })}\n`)
  }
  if (debug) {
    for (let cause: unknown = failure.cause; cause instanceof Error; cause = cause.cause) {
      const code = isKatmanError(cause) ? ` [${cause.code}]` : ''
      stderr.write(`caused by${code}: ${escapeTerminal(cause.stack ?? cause.message)}\n`)
    }
  }
  return failure.exitCode
}

/** `docker` when linked so; any other name is Katman. */
function programName(file: string): string {
  return file.replace(/\.[cm]?[jt]s$/, '') === 'docker' ? 'docker' : 'katman'
}
