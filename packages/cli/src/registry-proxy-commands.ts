import { type Command, type CommandGroup, defineCommand } from './command.ts'
import { settingFlags } from './registry/settings.ts'
import { formatFlag } from './shared-flags.ts'
import { defineFlags, type FlagSpec } from './terminal/flags.ts'

/** Words that hold the commands for a registry's dealings with others. */
export const registryProxyGroups: readonly CommandGroup[] = [
  { path: ['registry', 'replication'], summary: 'Copies between registries, by rules' },
  { path: ['registry', 'upstream'], summary: 'Registries whose content is cached' },
]

const quietFlag = {
  name: 'quiet',
  short: 'q',
  type: 'bool',
  help: 'Print names only',
} as const satisfies FlagSpec

const listFlags = defineFlags([formatFlag, quietFlag])

/** Which registry an import is for: what `registry serve` was started with. */
const placeFlags = settingFlags().filter(({ name }) =>
  ['data', 'db', 'database', 'storage'].includes(name),
)

const importFlags: readonly FlagSpec[] = [
  { name: 'config', type: 'string', value: 'file', help: 'YAML file of the registry' },
  { name: 'copy', type: 'bool', help: 'Copy files instead of giving them a second name' },
  { name: 'dry-run', type: 'bool', help: 'Say what would be imported' },
  {
    name: 'only',
    type: 'list',
    value: 'pattern',
    help: 'Only these repositories: library/*, team/** (repeatable)',
  },
  { name: 'prefix', type: 'string', value: 'name', help: 'Put before the names of repositories' },
  { name: 'quiet', short: 'q', type: 'bool', help: 'Print the sum and what failed only' },
  ...placeFlags,
]

/** Imports, and the commands that look after upstreams and replication of a registry that runs. */
export const registryProxyCommands: readonly Command[] = [
  defineCommand({
    path: ['registry', 'import'],
    usage: '[OPTIONS] FOLDER [REPOSITORY]',
    summary: 'Bring in the storage folder of another registry, or an OCI layout',
    count: { min: 1, max: 2 },
    flags: importFlags.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    load: () => import('./commands/registry-import.ts'),
  }),
  defineCommand({
    path: ['registry', 'replication', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List the rules and how they went last',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/replication.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'replication', 'run'],
    usage: '[OPTIONS] HOST RULE',
    summary: 'Carry a rule out now',
    count: { min: 2, max: 2 },
    flags: defineFlags([{ name: 'dry-run', type: 'bool', help: 'Only say what would be copied' }]),
    load: async () => ({ run: (await import('./registry/replication.ts')).runRule }),
  }),
  defineCommand({
    path: ['registry', 'replication', 'runs'],
    usage: '[OPTIONS] HOST RULE',
    summary: 'List what a rule did',
    count: { min: 2, max: 2 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/replication.ts')).runs }),
  }),
  defineCommand({
    path: ['registry', 'upstream', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List the registries that are cached',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/upstreams.ts')).list }),
  }),
]
