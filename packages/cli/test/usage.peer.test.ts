import { isKatmanError } from '@katman/oci'
import { expect, it } from 'vitest'
import { describePeers, dockerClient } from '../../../test/peers/require-peer.ts'
import { runCommand } from '../../../test/peers/terminal.ts'
import { type ArgumentCount, checkArgumentCount } from '../src/terminal/argument-count.ts'
import { parseArguments } from '../src/terminal/arguments.ts'
import { defineFlags } from '../src/terminal/flags.ts'
import { type CommandHelp, renderHelp, renderUsageError } from '../src/terminal/help.ts'

interface Command extends CommandHelp {
  readonly count: ArgumentCount
  readonly interspersed?: boolean
}

const format = [
  'Format output using a custom template:',
  "'table':            Print output in table format with column headers (default)",
  "'table TEMPLATE':   Print output in table format using the given Go template",
  "'json':             Print in JSON format",
  "'TEMPLATE':         Print output using the given Go template.",
  'Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates',
].join('\n')

const filterProblem = (text: string): string | undefined =>
  text === '' || text.includes('=') ? undefined : 'bad format of filter (expected name=value)'

const commands: readonly Command[] = [
  {
    path: 'pull',
    usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
    summary: 'Download an image from a registry',
    aliases: ['image pull', 'pull'],
    count: { min: 1, max: 1 },
    flags: defineFlags([
      {
        name: 'all-tags',
        short: 'a',
        type: 'bool',
        help: 'Download all tagged images in the repository',
      },
      {
        name: 'disable-content-trust',
        type: 'bool',
        default: true,
        help: 'Skip image verification',
      },
      {
        name: 'platform',
        type: 'string',
        help: 'Set platform if server is multi-platform capable',
      },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress verbose output' },
    ]),
  },
  {
    path: 'images',
    usage: '[OPTIONS] [REPOSITORY[:TAG]]',
    summary: 'List images',
    aliases: ['image ls', 'image list', 'images'],
    count: { min: 0, max: 1 },
    flags: defineFlags([
      {
        name: 'all',
        short: 'a',
        type: 'bool',
        help: 'Show all images (default hides intermediate images)',
      },
      { name: 'digests', type: 'bool', help: 'Show digests' },
      {
        name: 'filter',
        short: 'f',
        type: 'list',
        value: 'filter',
        help: 'Filter output based on conditions provided',
        check: filterProblem,
      },
      { name: 'format', type: 'string', help: format },
      { name: 'no-trunc', type: 'bool', help: "Don't truncate output" },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Only show image IDs' },
      { name: 'tree', type: 'bool', help: 'List multi-platform images as a tree (EXPERIMENTAL)' },
    ]),
  },
  {
    path: 'tag',
    usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
    summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    aliases: ['image tag', 'tag'],
    count: { min: 2, max: 2 },
    interspersed: false,
  },
  {
    path: 'search',
    usage: '[OPTIONS] TERM',
    summary: 'Search Docker Hub for images',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      {
        name: 'filter',
        short: 'f',
        type: 'list',
        value: 'filter',
        help: 'Filter output based on conditions provided',
        check: filterProblem,
      },
      { name: 'format', type: 'string', help: 'Pretty-print search using a Go template' },
      { name: 'limit', type: 'int', help: 'Max number of search results' },
      { name: 'no-trunc', type: 'bool', help: "Don't truncate output" },
    ]),
  },
  {
    path: 'rmi',
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: 'Remove one or more images',
    count: { min: 1 },
    flags: defineFlags([
      { name: 'force', short: 'f', type: 'bool', help: 'Force removal of the image' },
      { name: 'no-prune', type: 'bool', help: 'Do not delete untagged parents' },
    ]),
  },
]

/** What every command is tried with; lines without a usage error or help on some command are left out there. */
const lines: readonly string[] =
  `--help||a b c|a b c --help|--nope|--nope=1|-z|-=|-é|---|--=x|--help=maybe|-h=maybe
--quiet=maybe|-q=|-aq=x|--quiet= --nope|-qz|--format|-f|--filter|-f foo|-h|-h --nope|-hz|-z -h
--limit x a|--limit=|--limit 0x a|--limit 1_ a|--limit 99999999999999999999 a|--limit=-99999999999999999999 a
--limit 08 a|--limit=1e3 a|a --nope|a -- b c --nope|--|- - -|--no-trunc=2 a|--no-trunc=Yes|--force=on x|--no`.split(
    /[|\n]/,
  )

const docker = dockerClient() ?? ''

describePeers('usage', ['docker'], () => {
  const env = {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    DOCKER_HOST: 'unix:///nonexistent.sock',
  }

  it.for(commands)('of $path is what docker prints', async (command, context) => {
    const { stdout } = await runCommand(docker, ['--version'], { env })
    context.skip(!stdout.includes('version 28.'), `${stdout.trim()} has other words than 28`)
    let compared = 0
    for (const line of lines) {
      const words = line === '' ? [] : line.split(' ')
      const ours = runOurs(command, words)
      if (ours === undefined) continue
      const theirs = await runCommand(docker, [command.path, ...words], { env })
      const differences = { line, ...ours }
      // Commands without aliases here are compared in their errors only: their help depends on the engine.
      const hidesHelp = ours.exitCode === 0 && !command.aliases
      if (!hidesHelp) expect({ line, ...theirs }).toEqual(differences)
      compared++
    }
    expect(compared).toBeGreaterThan(15)
  })
})

interface Printed {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** What our pieces print for help and usage errors; undefined when the command would run. */
function runOurs(command: Command, words: readonly string[]): Printed | undefined {
  const options = { program: 'docker' }
  try {
    const parsed = parseArguments(command.flags ?? [], words, {
      interspersed: command.interspersed ?? true,
    })
    if (parsed.help) {
      const stdout = [
        ...parsed.notices.map((notice) => `${notice}\n`),
        renderHelp(command, options),
      ]
      return { stdout: stdout.join(''), stderr: '', exitCode: 0 }
    }
    checkArgumentCount(`docker ${command.path}`, command.count, parsed.positionals)
    return undefined
  } catch (error) {
    const stderr = renderUsageError(error, command, options)
    if (stderr === undefined || !isKatmanError(error)) throw error
    return { stdout: '', stderr, exitCode: Number(error.details['exitCode']) }
  }
}
