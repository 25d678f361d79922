import type { ContainerDefaults } from '../image-config.ts'
import { commandOf } from './change-command.ts'
import { changeInvalid } from './change-error.ts'
import { readHealthcheck } from './change-healthcheck.ts'
import { type ChangeLine, changeLines } from './change-lines.ts'
import { exposedPorts } from './change-ports.ts'
import { expandWord, splitWords } from './change-words.ts'

/** The defaults while they are changed. */
type Draft = { -readonly [Key in keyof ContainerDefaults]: ContainerDefaults[Key] }

type Change = (draft: Draft, line: ChangeLine) => void

const shell = ['/bin/sh', '-c']

/** What each instruction does; docker's import and commit know these and no others. */
const instructions: ReadonlyMap<string, Change> = new Map<string, Change>([
  ['CMD', (draft, { rest }) => void (draft.cmd = commandWords(rest))],
  ['ENTRYPOINT', (draft, { rest }) => void (draft.entrypoint = commandWords(rest))],
  ['ENV', setEnv],
  ['EXPOSE', expose],
  ['HEALTHCHECK', (draft, { rest }) => void (draft.healthcheck = readHealthcheck(rest))],
  ['LABEL', setLabels],
  ['ONBUILD', addTrigger],
  ['USER', (draft, line) => void (draft.user = single(draft, line))],
  ['VOLUME', addVolumes],
  ['WORKDIR', setWorkingDir],
])

/**
 * The container defaults that Dockerfile instructions give, one after the other, from none: what `docker import
 * --change` takes. Each text may hold several lines. Throws `CHANGE_INVALID` with docker's message.
 */
export function applyChanges(changes: readonly string[]): ContainerDefaults {
  const draft: Draft = {}
  const lines = changeLines(changes.join('\n'))
  if (changes.length > 0 && lines.length === 0) throw changeInvalid('file with no instructions')
  for (const { name } of lines) {
    if (!instructions.has(name)) {
      throw changeInvalid(`${name.toLowerCase()} is not a valid change command`)
    }
  }
  for (const line of lines) instructions.get(line.name)?.(draft, line)
  return draft
}

function commandWords(text: string): readonly string[] {
  const { words, isShell } = commandOf(text)
  return isShell ? [...shell, ...words].filter((word) => word !== '') : words
}

function setEnv(draft: Draft, line: ChangeLine): void {
  const before = draft.env ?? []
  const env = [...before]
  // Every value sees the variables as they were before the line.
  for (const [name, value] of pairsOf(line, before)) {
    const known = env.findIndex((pair) => pair.startsWith(`${name}=`))
    env.splice(known === -1 ? env.length : known, known === -1 ? 0 : 1, `${name}=${value}`)
  }
  draft.env = env
}

function setLabels(draft: Draft, line: ChangeLine): void {
  const labels = new Map(Object.entries(draft.labels ?? {}))
  for (const [name, value] of pairsOf(line, draft.env ?? [])) labels.set(name, value)
  draft.labels = Object.fromEntries(labels)
}

/** `name=value…`, or one name and the rest of the line. */
function pairsOf(
  { name: instruction, rest }: ChangeLine,
  env: readonly string[],
): readonly (readonly [string, string])[] {
  const words = splitWords(rest)
  const [first] = words
  if (first === undefined) throw changeInvalid(`${instruction} requires at least one argument`)
  if (!first.includes('=')) {
    const found = /^(\S+)\s+(.+)$/s.exec(rest)
    if (found === null) throw changeInvalid(`${instruction} must have two arguments`)
    const [, name = '', value = ''] = found
    return [pair(instruction, name, value, env)]
  }
  return words.map((word) => {
    const equals = word.indexOf('=')
    if (equals === -1) {
      const form = 'Must be of the form: name=value'
      throw changeInvalid(`Syntax error - can't find = in ${JSON.stringify(word)}. ${form}`)
    }
    return pair(instruction, word.slice(0, equals), word.slice(equals + 1), env)
  })
}

function pair(
  instruction: string,
  name: string,
  value: string,
  env: readonly string[],
): readonly [string, string] {
  const key = expandWord(name, env)
  if (key === '') throw changeInvalid(`${instruction} names can not be blank`)
  return [key, expandWord(value, env)]
}

function expose(draft: Draft, line: ChangeLine): void {
  const words = requireWords(line, line.rest.split(/\s+/))
  const specs = words.flatMap((word) => splitWords(expandWord(word, draft.env ?? [])))
  draft.exposedPorts = union(draft.exposedPorts, specs.flatMap(exposedPorts))
}

function addVolumes(draft: Draft, line: ChangeLine): void {
  const { words, isShell } = commandOf(line.rest)
  const volumes = requireWords(line, isShell ? line.rest.split(/\s+/) : words).map((word) =>
    expandWord(word, draft.env ?? []).trim(),
  )
  if (volumes.includes('')) throw changeInvalid('VOLUME specified can not be an empty string')
  draft.volumes = union(draft.volumes, volumes)
}

function setWorkingDir(draft: Draft, line: ChangeLine): void {
  const folder = single(draft, line)
  if (folder === '') throw changeInvalid('cannot normalize nothing')
  draft.workingDir = folder.startsWith('/') ? folder : joined(draft.workingDir ?? '', folder)
}

/** An absolute path without `.`, `..` and doubled slashes. */
function joined(...parts: readonly string[]): string {
  const names: string[] = []
  for (const name of parts.join('/').split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return `/${names.join('/')}`
}

function addTrigger(draft: Draft, line: ChangeLine): void {
  const [trigger = ''] = requireWords(line, line.rest.split(/\s+/))
  const name = trigger.toUpperCase()
  if (name === 'ONBUILD') {
    throw changeInvalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  }
  if (name === 'MAINTAINER' || name === 'FROM') {
    throw changeInvalid(`${name} isn't allowed as an ONBUILD trigger`)
  }
  draft.onBuild = [...(draft.onBuild ?? []), line.rest]
}

/** The whole rest of a line as one argument. */
function single(draft: Draft, { name, rest }: ChangeLine): string {
  if (rest === '') throw changeInvalid(`${name} requires exactly one argument`)
  return expandWord(rest, draft.env ?? [])
}

function requireWords({ name }: ChangeLine, words: readonly string[]): readonly string[] {
  const present = words.filter((word) => word !== '')
  if (present.length === 0) throw changeInvalid(`${name} requires at least one argument`)
  return present
}

function union(before: readonly string[] = [], more: readonly string[]): readonly string[] {
  return [...new Set([...before, ...more])].toSorted()
}
