import type { Healthcheck } from '../image-config.ts'
import { changeInvalid } from './change-error.ts'
import { commandOf } from './change-command.ts'

const millisecond = 1_000_000
const units: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1000],
  ['µs', 1000],
  ['ms', millisecond],
  ['s', 1000 * millisecond],
  ['m', 60_000 * millisecond],
  ['h', 3_600_000 * millisecond],
])

/** The rest of a `HEALTHCHECK`: options, then `NONE`, or `CMD` and a command. Throws `CHANGE_INVALID`. */
export function readHealthcheck(text: string): Healthcheck {
  const flags = new Map<string, string>()
  let rest = text
  for (;;) {
    const found = /^--([a-z-]+)(?:=(\S*))?(?:\s+|$)/.exec(rest)
    if (found === null) break
    const [whole, name = '', value = ''] = found
    if (!flagNames.has(name)) throw changeInvalid(`Unknown flag: ${name}`)
    flags.set(name, value)
    rest = rest.slice(whole.length)
  }
  const [kind = ''] = rest.split(/\s/, 1)
  if (kind === '') throw changeInvalid('HEALTHCHECK requires at least one argument')
  const command = rest.slice(kind.length).trim()
  switch (kind.toUpperCase()) {
    case 'NONE':
      if (command !== '') throw changeInvalid('HEALTHCHECK NONE takes no arguments')
      return { test: ['NONE'] }
    case 'CMD': {
      if (command === '') throw changeInvalid('Missing command after HEALTHCHECK CMD')
      const { words, isShell } = commandOf(command)
      return { test: [isShell ? 'CMD-SHELL' : 'CMD', ...words], ...numbersOf(flags) }
    }
    default:
      throw changeInvalid(
        `Unknown type ${JSON.stringify(kind.toUpperCase())} in HEALTHCHECK (try CMD)`,
      )
  }
}

const flagNames: ReadonlySet<string> = new Set([
  'interval',
  'timeout',
  'start-period',
  'start-interval',
  'retries',
])

function numbersOf(flags: ReadonlyMap<string, string>): Omit<Healthcheck, 'test'> {
  const time = (name: string): number | undefined => {
    const text = flags.get(name)
    return text === undefined || text === '' ? undefined : duration(text, name)
  }
  const retries = flags.get('retries') || undefined
  if (retries !== undefined && !/^[1-9]\d{0,8}$/.test(retries)) {
    throw changeInvalid(`--retries must be at least 1 (not ${retries})`)
  }
  const values = {
    interval: time('interval'),
    timeout: time('timeout'),
    startPeriod: time('start-period'),
    startInterval: time('start-interval'),
    retries: retries === undefined ? undefined : Number(retries),
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

/** A duration as Go writes it (`1m30s`), in nanoseconds. */
function duration(text: string, name: string): number {
  if (!/^\+?(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw changeInvalid(`time: invalid duration ${JSON.stringify(text)}`)
  }
  let nanos = 0
  for (const [, number = '', unit = ''] of text.matchAll(/([\d.]+)([a-zµ]+)/g)) {
    nanos += Number(number) * (units.get(unit) ?? 0)
  }
  if (nanos < millisecond) throw changeInvalid(`Interval "${name}" cannot be less than 1ms`)
  return Math.round(nanos)
}
