import { type Command, type CommandGroup, defineCommand } from './command.ts'
import { formatFlag } from './shared-flags.ts'
import { defineFlags } from './terminal/flags.ts'

/** Words that hold the commands for what a registry keeps and what it deletes. */
export const registryCleanupGroups: readonly CommandGroup[] = [
  { path: ['registry', 'immutable'], summary: 'Manage tags that never move' },
  { path: ['registry', 'quota'], summary: 'Manage how much a namespace may hold' },
  { path: ['registry', 'retention'], summary: 'Manage which tags stay' },
]

const listFlags = defineFlags([
  formatFlag,
  { name: 'quiet', short: 'q', type: 'bool', help: 'Print names or digests only' },
])

const load = () => import('./registry/cleanup.ts')

/** The commands for clean-up of a registry that runs. */
export const registryCleanupCommands: readonly Command[] = [
  defineCommand({
    path: ['registry', 'deleted'],
    usage: '[OPTIONS] HOST REPOSITORY',
    summary: 'List deleted images that can come back',
    count: { min: 2, max: 2 },
    flags: listFlags,
    load: async () => ({ run: (await load()).listDeleted }),
  }),
  defineCommand({
    path: ['registry', 'gc'],
    usage: '[OPTIONS] HOST',
    summary: 'Clean up now what is due',
    count: { min: 1, max: 1 },
    flags: defineFlags([{ name: 'status', type: 'bool', help: 'Only show what is to do' }]),
    load: async () => ({ run: (await load()).collect }),
  }),
  defineCommand({
    path: ['registry', 'immutable', 'add'],
    usage: 'HOST REPOSITORIES [TAGS]',
    summary: 'Let tags never move: patterns like team/* v*',
    count: { min: 2, max: 3 },
    flags: [],
    load: async () => ({ run: (await load()).addImmutable }),
  }),
  defineCommand({
    path: ['registry', 'immutable', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List which tags never move',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await load()).listImmutable }),
  }),
  defineCommand({
    path: ['registry', 'immutable', 'rm'],
    usage: 'HOST REPOSITORIES [TAGS]',
    summary: 'Let tags move again',
    count: { min: 2, max: 3 },
    flags: [],
    load: async () => ({ run: (await load()).removeImmutable }),
  }),
  defineCommand({
    path: ['registry', 'quota', 'check'],
    usage: 'HOST',
    summary: 'Compare counters with what is stored, and correct them',
    count: { min: 1, max: 1 },
    flags: [],
    load: async () => ({ run: (await load()).checkQuotas }),
  }),
  defineCommand({
    path: ['registry', 'quota', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List what namespaces hold and may hold',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await load()).listQuotas }),
  }),
  defineCommand({
    path: ['registry', 'quota', 'set'],
    usage: 'HOST NAMESPACE SIZE|none',
    summary: 'Set how much a namespace may hold',
    count: { min: 3, max: 3 },
    flags: [],
    load: async () => ({ run: (await load()).setQuota }),
  }),
  defineCommand({
    path: ['registry', 'retention', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List which tags stay',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await load()).listRetention }),
  }),
  defineCommand({
    path: ['registry', 'retention', 'rm'],
    usage: 'HOST REPOSITORIES [TAGS]',
    summary: 'Let all tags stay again',
    count: { min: 2, max: 3 },
    flags: [],
    load: async () => ({ run: (await load()).removeRetention }),
  }),
  defineCommand({
    path: ['registry', 'retention', 'run'],
    usage: '[OPTIONS] HOST',
    summary: 'Delete the tags that need not stay',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'dry-run', type: 'bool', help: 'Only show what would go and why' },
      ...listFlags,
    ]),
    load: async () => ({ run: (await load()).runRetention }),
  }),
  defineCommand({
    path: ['registry', 'retention', 'set'],
    usage: '[OPTIONS] HOST REPOSITORIES [TAGS]',
    summary: 'Say which tags stay: others go',
    count: { min: 2, max: 3 },
    flags: defineFlags([
      { name: 'named', type: 'list', value: 'pattern', help: 'Tags of such a name (repeatable)' },
      { name: 'newest', type: 'int', help: 'So many that were pushed last' },
      { name: 'pulled-within', type: 'int', value: 'days', help: 'Pulled in the last days' },
      { name: 'pushed-within', type: 'int', value: 'days', help: 'Pushed in the last days' },
    ]),
    load: async () => ({ run: (await load()).setRetention }),
  }),
  defineCommand({
    path: ['registry', 'scrub'],
    usage: '[OPTIONS] HOST',
    summary: 'List damaged blobs, or look for them',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      ...listFlags,
      { name: 'start', type: 'bool', help: 'Read all blobs, in the background' },
    ]),
    load: async () => ({ run: (await load()).scrub }),
  }),
  defineCommand({
    path: ['registry', 'undelete'],
    usage: 'HOST REPOSITORY TAG|DIGEST',
    summary: 'Bring back a deleted image or a moved tag',
    count: { min: 3, max: 3 },
    flags: [],
    load: async () => ({ run: (await load()).undelete }),
  }),
]
