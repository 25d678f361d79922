import { KatmanError } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { checkArgumentCount } from './argument-count.ts'
import { parseArguments } from './arguments.ts'
import { defineFlags } from './flags.ts'
import { type CommandHelp, renderHelp, renderUnknownCommand, renderUsageError } from './help.ts'

const docker = { program: 'docker' }

const pull = {
  path: 'pull',
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  aliases: ['image pull', 'pull'],
  flags: defineFlags([
    { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress verbose output' },
    { name: 'platform', type: 'string', help: 'Set platform if server is multi-platform capable' },
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
    { name: 'secret', type: 'bool', hidden: true, help: 'not shown, and far too long to be shown' },
  ]),
} satisfies CommandHelp

const image: CommandHelp = {
  path: 'image',
  summary: 'Manage images',
  lists: [
    { title: 'Management Commands', commands: [] },
    {
      title: 'Commands',
      commands: [
        { name: 'build', summary: 'Build an image from a Dockerfile' },
        { name: 'ls', summary: 'List images' },
      ],
    },
  ],
}

describe('renderHelp', () => {
  it('shows a command as docker does', () => {
    expect(renderHelp(pull, docker)).toBe(`Usage:  docker pull [OPTIONS] NAME[:TAG|@DIGEST]

Download an image from a registry

Aliases:
  docker image pull, docker pull

Options:
  -a, --all-tags                Download all tagged images in the repository
      --disable-content-trust   Skip image verification (default true)
      --platform string         Set platform if server is multi-platform
                                capable
  -q, --quiet                   Suppress verbose output
`)
  })

  it('uses the width of the terminal and the name of the program', () => {
    const text = renderHelp(pull, { program: 'katman', columns: 120 })
    expect(text).toContain('katman image pull, katman pull')
    expect(text).toContain('Set platform if server is multi-platform capable\n')
  })

  it('keeps line feeds of help texts', () => {
    const format = [
      'Format output using a custom template:',
      "'table':            Print output in table format with column headers (default)",
      "'TEMPLATE':         Print output using the given Go template.",
      'Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates',
    ].join('\n')
    const flags = defineFlags([
      { name: 'format', type: 'string', help: format },
      { name: 'filter', short: 'f', type: 'list', value: 'filter', help: 'Filter output' },
    ])
    expect(renderHelp({ path: 'x', usage: '[OPTIONS]', summary: 'X', flags }, docker)).toBe(
      `Usage:  docker x [OPTIONS]

X

Options:
  -f, --filter filter   Filter output
      --format string   Format output using a custom template:
                        'table':            Print output in table format
                        with column headers (default)
                        'TEMPLATE':         Print output using the given
                        Go template.
                        Refer to https://docs.docker.com/go/formatting/
                        for more information about formatting output with
                        templates
`,
    )
  })

  it('shows defaults and the words for values', () => {
    const flags = defineFlags([
      { name: 'last', short: 'n', type: 'int', default: -1, help: 'L' },
      { name: 'none', type: 'int', default: 0, help: 'N' },
      { name: 'level', type: 'string', default: 'info', help: 'V' },
      { name: 'opt', type: 'list', default: ['a', 'b'], help: 'O' },
      { name: 'cache', type: 'optional', bare: 'yes', help: 'C' },
    ])
    expect(renderHelp({ path: 'x', summary: 'X', flags }, docker)).toContain(
      `      --cache string[="yes"]   C
  -n, --last int               L (default -1)
      --level string           V (default "info")
      --none int               N
      --opt list               O (default [a,b])
`,
    )
  })

  it('shows a group as docker does, without empty lists', () => {
    expect(renderHelp(image, docker)).toBe(`Usage:  docker image COMMAND

Manage images

Commands:
  build       Build an image from a Dockerfile
  ls          List images

Run 'docker image COMMAND --help' for more information on a command.
`)
  })

  it('shows the program with its commands before its options', () => {
    const flags = defineFlags([
      { name: 'debug', short: 'D', type: 'bool', help: 'Enable debug mode' },
    ])
    const root: CommandHelp = {
      ...image,
      path: '',
      usage: '[OPTIONS] COMMAND [ARG...]',
      flags,
      footer: 'More.',
    }
    expect(renderHelp(root, docker)).toBe(`Usage:  docker [OPTIONS] COMMAND

Manage images

Commands:
  build       Build an image from a Dockerfile
  ls          List images

Global Options:
  -D, --debug   Enable debug mode

Run 'docker COMMAND --help' for more information on a command.

More.
`)
  })

  it.each([1, 20, 40, 60, 80, 200])('ends at %i columns', (columns) => {
    expect(renderHelp(pull, { program: 'docker', columns })).toContain('--platform string')
  })
})

describe('renderUsageError', () => {
  function textOf(run: () => void): string | undefined {
    try {
      run()
    } catch (error) {
      return renderUsageError(error, pull, docker)
    }
    return undefined
  }

  it('puts usage and a pointer below a flag error', () => {
    expect(textOf(() => void parseArguments(pull.flags, ['--nope']))).toBe(
      "unknown flag: --nope\n\nUsage:  docker pull [OPTIONS] NAME[:TAG|@DIGEST]\n\nRun 'docker pull --help' for more information\n",
    )
  })

  it('names the program before an argument error', () => {
    expect(textOf(() => checkArgumentCount('docker pull', { min: 1, max: 1 }, []))).toBe(
      "docker: 'docker pull' requires 1 argument\n\nUsage:  docker pull [OPTIONS] NAME[:TAG|@DIGEST]\n\nRun 'docker pull --help' for more information\n",
    )
    expect(textOf(() => checkArgumentCount('docker pull', { min: 1 }, []))).toContain(
      "\n\nSee 'docker pull --help'",
    )
  })

  it('leaves other errors alone', () => {
    expect(renderUsageError(new KatmanError('OTHER', 'x'), pull, docker)).toBeUndefined()
    expect(renderUsageError(new Error('x'), pull, docker)).toBeUndefined()
  })
})

describe('renderUnknownCommand', () => {
  it('has the usage of a group, not of the program', () => {
    expect(renderUnknownCommand('foo', image, docker)).toBe(
      "docker: unknown command: docker image foo\n\nUsage:  docker image\n\nRun 'docker image --help' for more information\n",
    )
    expect(renderUnknownCommand('foo', { ...image, path: '' }, docker)).toBe(
      "docker: unknown command: docker foo\n\nRun 'docker --help' for more information\n",
    )
  })
})
