import { assert, property, array, string, oneof, constantFrom } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKatmanError } from '@katman/oci'
import { checkArgumentCount } from './argument-count.ts'
import { parseArguments } from './arguments.ts'
import { defineFlags } from './flags.ts'

const flags = defineFlags([
  { name: 'quiet', short: 'q', type: 'bool', help: '' },
  { name: 'all-tags', short: 'a', type: 'bool', help: '' },
  { name: 'interactive', short: 'i', type: 'bool', help: '' },
  { name: 'tty', short: 't', type: 'bool', help: '' },
  { name: 'rm', type: 'bool', default: true, help: '' },
  { name: 'format', short: 'f', type: 'string', help: '' },
  { name: 'level', type: 'string', default: 'info', help: '', env: 'LEVEL' },
  { name: 'last', short: 'n', type: 'int', default: -1, help: '' },
  { name: 'filter', type: 'list', help: '' },
  { name: 'cache', short: 'c', type: 'optional', bare: 'yes', help: '' },
  {
    name: 'pair',
    type: 'list',
    help: '',
    check: (text) =>
      text.includes('=') ? undefined : 'bad format of filter (expected name=value)',
  },
])

function parse(...words: string[]) {
  return parseArguments(flags, words)
}

describe('parseArguments', () => {
  it('types and names the values, with defaults', () => {
    const { values } = parse()
    const quiet: boolean = values.quiet
    const allTags: boolean = values.allTags
    const format: string | undefined = values.format
    const level: string = values.level
    const last: number = values.last
    const filter: readonly string[] = values.filter
    expect({ quiet, allTags, format, level, last, filter }).toEqual({
      quiet: false,
      allTags: false,
      format: undefined,
      level: 'info',
      last: -1,
      filter: [],
    })
    expect(values.rm).toBe(true)
    expect(values.cache).toBeUndefined()
  })

  it.each([
    [['-it'], { interactive: true, tty: true }],
    [['-q=false', '--all-tags=1'], { quiet: false, allTags: true }],
    [['--rm=false'], { rm: false }],
    [['--format', 'x'], { format: 'x' }],
    [['--format=x=y'], { format: 'x=y' }],
    [['--format='], { format: '' }],
    [['-fx'], { format: 'x' }],
    [['-f=x'], { format: 'x' }],
    [['-f='], { format: '=' }],
    [['-qfx'], { quiet: true, format: 'x' }],
    [['-qf', '-x'], { quiet: true, format: '-x' }],
    [['-n5'], { last: 5 }],
    [['-n', '-0x10'], { last: -16 }],
    [['--filter', 'a', '--filter=b'], { filter: ['a', 'b'] }],
    [['--cache'], { cache: 'yes' }],
    [['--cache=no'], { cache: 'no' }],
    [['-c'], { cache: 'yes' }],
    [['-c=no'], { cache: 'no' }],
    [['--format', 'a', '--format', 'b'], { format: 'b' }],
  ])('reads %j', (words, expected) => {
    expect(parse(...words).values).toMatchObject(expected)
  })

  it('takes flags after positionals, until --', () => {
    const parsed = parse('a', '-q', '-', '', 'b', '--', '-t', '--', 'c')
    expect(parsed.positionals).toEqual(['a', '-', '', 'b', '-t', '--', 'c'])
    expect(parsed.positionalsBeforeDash).toBe(4)
    expect(parsed.values).toMatchObject({ quiet: true, tty: false })
    expect([...parsed.given]).toEqual(['quiet'])
  })

  it('leaves flags after the first positional alone when not interspersed', () => {
    const parsed = parseArguments(flags, ['-q', 'image', '-t', '--nope'], { interspersed: false })
    expect(parsed.positionals).toEqual(['image', '-t', '--nope'])
    expect(parsed.values.quiet).toBe(true)
  })

  it('takes an absent flag from its environment variable', () => {
    const env = { LEVEL: 'debug' }
    expect(parseArguments(flags, [], { env }).values.level).toBe('debug')
    expect(parseArguments(flags, ['--level=warn'], { env }).values.level).toBe('warn')
    expect(parseArguments(flags, [], { env: { LEVEL: '' } }).values.level).toBe('info')
  })

  it('knows --help everywhere, and -h with docker’s notice', () => {
    expect(parse('--help').help).toBe(true)
    expect(parse('--help=false').help).toBe(false)
    expect(parse('-h')).toMatchObject({
      help: true,
      notices: ['Flag shorthand -h has been deprecated, use --help'],
    })
  })

  it.each([
    [['--foo'], 'unknown flag: --foo'],
    [['--foo=bar'], 'unknown flag: --foo'],
    [['-x'], "unknown shorthand flag: 'x' in -x"],
    [['-itz'], "unknown shorthand flag: 'z' in -z"],
    [['-izt'], "unknown shorthand flag: 'z' in -zt"],
    [['-='], "unknown shorthand flag: '=' in -="],
    [['-é'], "unknown shorthand flag: 'Ã' in -é"],
    [
      ['-h=maybe'],
      'invalid argument "maybe" for "--help" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [['---'], 'bad flag syntax: ---'],
    [['--=x'], 'bad flag syntax: --=x'],
    [['--format'], 'flag needs an argument: --format'],
    [['-f'], "flag needs an argument: 'f' in -f"],
    [['-qf'], "flag needs an argument: 'f' in -f"],
    [
      ['-n', 'x'],
      'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      ['--last='],
      'invalid argument "" for "-n, --last" flag: strconv.ParseInt: parsing "": invalid syntax',
    ],
    [
      ['--last=99999999999999999999'],
      'invalid argument "99999999999999999999" for "-n, --last" flag: strconv.ParseInt: parsing "99999999999999999999": value out of range',
    ],
    [
      ['-q=maybe'],
      'invalid argument "maybe" for "-q, --quiet" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      ['--rm=x"y'],
      'invalid argument "x\\"y" for "--rm" flag: strconv.ParseBool: parsing "x\\"y": invalid syntax',
    ],
    [
      ['--pair', 'foo'],
      'invalid argument "foo" for "--pair" flag: bad format of filter (expected name=value)',
    ],
  ])('refuses %j as docker does', (words, message) => {
    expect(() => parse(...words)).toThrow(
      expect.objectContaining({ code: 'USAGE_FLAG', message, details: { exitCode: 125 } }),
    )
  })

  it('reads any words or throws USAGE_FLAG', () => {
    const word = oneof(
      string(),
      constantFrom('-', '--', '-q', '--format', '-f', '__proto__', '--__proto__', '-n', '--cache'),
      string().map((text) => `-${text}`),
      string().map((text) => `--${text}`),
    )
    assert(
      property(array(word), (words) => {
        try {
          parse(...words)
        } catch (error) {
          expect(isKatmanError(error, 'USAGE_FLAG')).toBe(true)
        }
      }),
    )
  })

  it('gives back every positional behind --', () => {
    assert(
      property(array(string()), (words) => {
        expect(parse('--', ...words).positionals).toEqual(words)
      }),
    )
  })
})

describe('checkArgumentCount', () => {
  it.each([
    ['docker pull', { min: 1, max: 1 }, 0, "'docker pull' requires 1 argument", 'Run'],
    ['docker tag', { min: 2, max: 2 }, 1, "'docker tag' requires 2 arguments", 'Run'],
    ['docker rmi', { min: 1 }, 0, "'docker rmi' requires at least 1 argument", 'See'],
    [
      'docker plugin create',
      { min: 2 },
      1,
      "'docker plugin create' requires at least 2 arguments",
      'See',
    ],
    ['docker images', { min: 0, max: 1 }, 2, "'docker images' requires at most 1 argument", 'SRun'],
    [
      'docker context export',
      { min: 1, max: 2 },
      3,
      "'docker context export' requires at least 1 and at most 2 arguments",
      'Run',
    ],
    ['docker version', { min: 0, max: 0 }, 1, "'docker version' accepts no arguments", 'Run'],
  ])('%s %j with %i', (path, count, given, message, pointer) => {
    const words = Array.from({ length: given }, () => 'x')
    expect(() => checkArgumentCount(path, count, words)).toThrow(
      expect.objectContaining({
        code: 'USAGE_ARGS',
        message,
        details: { exitCode: 1, pointer, commandPath: path },
      }),
    )
  })

  it('accepts what fits', () => {
    checkArgumentCount('x', { min: 1 }, ['a', 'b'])
    checkArgumentCount('x', { min: 0, max: 1 }, [])
  })
})
