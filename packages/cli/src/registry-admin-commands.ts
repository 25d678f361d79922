import { type Command, type CommandGroup, defineCommand } from './command.ts'
import { formatFlag } from './shared-flags.ts'
import { defineFlags, type FlagSpec } from './terminal/flags.ts'

/** Words that hold the commands for a registry's accounts and rights. */
export const registryAdminGroups: readonly CommandGroup[] = [
  { path: ['registry', 'account'], summary: 'Manage the accounts of people' },
  { path: ['registry', 'audit'], summary: 'Look at who did what' },
  { path: ['registry', 'grant'], summary: 'Manage rights' },
  { path: ['registry', 'namespace'], summary: 'Manage namespaces and their members' },
  { path: ['registry', 'robot'], summary: 'Manage robot accounts' },
  { path: ['registry', 'token'], summary: 'Manage access tokens' },
]

const quietFlag = {
  name: 'quiet',
  short: 'q',
  type: 'bool',
  help: 'Print names or IDs only',
} as const satisfies FlagSpec

const passwordStdinFlag = {
  name: 'password-stdin',
  type: 'bool',
  help: 'Take the new password from stdin',
} as const satisfies FlagSpec

const descriptionFlag = {
  name: 'description',
  type: 'string',
  help: 'A text for people',
} as const satisfies FlagSpec

const expiresFlag = {
  name: 'expires',
  type: 'string',
  value: 'time',
  help: 'Ends after days, hours or minutes: 90d, 12h (default never)',
} as const satisfies FlagSpec

const accountFlag = {
  name: 'account',
  type: 'string',
  help: 'Of this account or robot (default: your own)',
} as const satisfies FlagSpec

const untilFlag = {
  name: 'until',
  type: 'string',
  value: 'time',
  help: 'Before a time, or a duration ago: 2026-01-31, 24h',
} as const satisfies FlagSpec

const disabledFlag = {
  name: 'disabled',
  type: 'optional',
  bare: 'true',
  value: 'bool',
  help: 'Whether it is kept out',
} as const satisfies FlagSpec

const listFlags = defineFlags([formatFlag, quietFlag])

/** The commands that administer a registry that runs. */
export const registryAdminCommands: readonly Command[] = [
  defineCommand({
    path: ['registry', 'account', 'create'],
    usage: '[OPTIONS] HOST NAME',
    summary: 'Make an account',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      { name: 'admin', type: 'bool', help: 'May administer the whole registry' },
      { name: 'create-namespaces', type: 'bool', help: 'May open namespaces by pushing' },
      descriptionFlag,
      passwordStdinFlag,
    ]),
    load: async () => ({ run: (await import('./registry/accounts.ts')).create }),
  }),
  defineCommand({
    path: ['registry', 'account', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List accounts',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/accounts.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'account', 'password'],
    usage: '[OPTIONS] HOST [NAME]',
    summary: 'Change a password',
    count: { min: 1, max: 2 },
    flags: defineFlags([
      {
        name: 'password-stdin',
        type: 'bool',
        help: 'Take it from stdin; for your own account after a line\nwith the password of now',
      },
    ]),
    load: async () => ({ run: (await import('./registry/accounts.ts')).password }),
  }),
  defineCommand({
    path: ['registry', 'account', 'rm'],
    usage: 'HOST NAME [NAME...]',
    summary: 'Remove accounts with their tokens and rights',
    count: { min: 2 },
    flags: [],
    load: async () => ({ run: (await import('./registry/accounts.ts')).remove }),
  }),
  defineCommand({
    path: ['registry', 'account', 'set'],
    usage: '[OPTIONS] HOST NAME',
    summary: 'Change an account',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      {
        name: 'admin',
        type: 'optional',
        bare: 'true',
        value: 'bool',
        help: 'Whether it may administer the whole registry',
      },
      {
        name: 'create-namespaces',
        type: 'optional',
        bare: 'true',
        value: 'bool',
        help: 'Whether it may open namespaces by pushing',
      },
      descriptionFlag,
      disabledFlag,
    ]),
    load: async () => ({ run: (await import('./registry/accounts.ts')).set }),
  }),
  defineCommand({
    path: ['registry', 'audit', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List what was done, the newest first',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'action', type: 'string', help: "What was done: 'account.create', or 'account'" },
      { name: 'actor', type: 'string', help: 'Who did it' },
      formatFlag,
      { name: 'limit', type: 'int', default: 100, help: 'How many entries (default 100)' },
      { name: 'since', type: 'string', value: 'time', help: 'From a time, or a duration ago on' },
      { name: 'target', type: 'string', help: 'What it was done to' },
      untilFlag,
    ]),
    load: async () => ({ run: (await import('./registry/audit.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'audit', 'prune'],
    usage: '--until TIME HOST',
    summary: 'Remove old entries',
    count: { min: 1, max: 1 },
    flags: defineFlags([untilFlag]),
    load: async () => ({ run: (await import('./registry/audit.ts')).prune }),
  }),
  defineCommand({
    path: ['registry', 'grant', 'create'],
    usage: 'HOST ACCOUNT|everyone|anonymous PATTERN:ACTIONS',
    summary: 'Give a right: pull, push, delete, admin',
    count: { min: 3, max: 3 },
    flags: [],
    load: async () => ({ run: (await import('./registry/grants.ts')).create }),
  }),
  defineCommand({
    path: ['registry', 'grant', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List rights',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/grants.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'grant', 'rm'],
    usage: 'HOST ID [ID...]',
    summary: 'Take rights back',
    count: { min: 2 },
    flags: [],
    load: async () => ({ run: (await import('./registry/grants.ts')).remove }),
  }),
  defineCommand({
    path: ['registry', 'namespace', 'add'],
    usage: '[OPTIONS] HOST NAME ACCOUNT',
    summary: 'Make an account a member, or change its role',
    count: { min: 3, max: 3 },
    flags: defineFlags([
      {
        name: 'role',
        type: 'string',
        default: 'developer',
        help: "'owner', 'maintainer' (deletes), 'developer' (pushes,\ndefault), 'guest' (pulls)",
      },
    ]),
    load: async () => ({ run: (await import('./registry/namespaces.ts')).addMember }),
  }),
  defineCommand({
    path: ['registry', 'namespace', 'create'],
    usage: '[OPTIONS] HOST NAME',
    summary: 'Open a namespace',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      { name: 'owner', type: 'string', help: 'Account that owns it (default: you)' },
    ]),
    load: async () => ({ run: (await import('./registry/namespaces.ts')).create }),
  }),
  defineCommand({
    path: ['registry', 'namespace', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List namespaces',
    count: { min: 1, max: 1 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/namespaces.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'namespace', 'members'],
    usage: '[OPTIONS] HOST NAME',
    summary: 'List the members of a namespace',
    count: { min: 2, max: 2 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/namespaces.ts')).members }),
  }),
  defineCommand({
    path: ['registry', 'namespace', 'remove'],
    usage: 'HOST NAME ACCOUNT',
    summary: 'End the membership of an account',
    count: { min: 3, max: 3 },
    flags: [],
    load: async () => ({ run: (await import('./registry/namespaces.ts')).removeMember }),
  }),
  defineCommand({
    path: ['registry', 'namespace', 'rm'],
    usage: 'HOST NAME [NAME...]',
    summary: 'Remove empty namespaces with their robots',
    count: { min: 2 },
    flags: [],
    load: async () => ({ run: (await import('./registry/namespaces.ts')).remove }),
  }),
  defineCommand({
    path: ['registry', 'robot', 'create'],
    usage: '[OPTIONS] HOST NAMESPACE+NAME',
    summary: 'Make a robot and print its token',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      descriptionFlag,
      expiresFlag,
      {
        name: 'grant',
        type: 'list',
        value: 'right',
        help: 'PATTERN:ACTIONS, like team/*:pull,push (repeatable)',
      },
    ]),
    load: async () => ({ run: (await import('./registry/robots.ts')).create }),
  }),
  defineCommand({
    path: ['registry', 'robot', 'ls'],
    usage: '[OPTIONS] HOST [NAMESPACE]',
    summary: 'List robots',
    count: { min: 1, max: 2 },
    flags: listFlags,
    load: async () => ({ run: (await import('./registry/robots.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'robot', 'rm'],
    usage: 'HOST NAMESPACE+NAME [NAMESPACE+NAME...]',
    summary: 'Remove robots',
    count: { min: 2 },
    flags: [],
    load: async () => ({ run: (await import('./registry/robots.ts')).remove }),
  }),
  defineCommand({
    path: ['registry', 'robot', 'set'],
    usage: '[OPTIONS] HOST NAMESPACE+NAME',
    summary: 'Change a robot',
    count: { min: 2, max: 2 },
    flags: defineFlags([descriptionFlag, disabledFlag]),
    load: async () => ({ run: (await import('./registry/robots.ts')).set }),
  }),
  defineCommand({
    path: ['registry', 'token', 'create'],
    usage: '[OPTIONS] HOST NAME',
    summary: 'Make an access token and print it',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      accountFlag,
      expiresFlag,
      {
        name: 'scope',
        type: 'list',
        value: 'right',
        help: 'Only PATTERN:ACTIONS, like team/*:pull (repeatable)',
      },
    ]),
    load: async () => ({ run: (await import('./registry/tokens.ts')).create }),
  }),
  defineCommand({
    path: ['registry', 'token', 'ls'],
    usage: '[OPTIONS] HOST',
    summary: 'List access tokens',
    count: { min: 1, max: 1 },
    flags: defineFlags([accountFlag, formatFlag, quietFlag]),
    load: async () => ({ run: (await import('./registry/tokens.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'token', 'rm'],
    usage: '[OPTIONS] HOST ID [ID...]',
    summary: 'Revoke access tokens',
    count: { min: 2 },
    flags: defineFlags([accountFlag]),
    load: async () => ({ run: (await import('./registry/tokens.ts')).remove }),
  }),
  defineCommand({
    path: ['registry', 'visibility'],
    usage: 'HOST REPOSITORY [public|private]',
    summary: 'Show or change whether everybody may pull a repository',
    count: { min: 2, max: 3 },
    flags: [],
    load: async () => ({ run: (await import('./registry/grants.ts')).visibility }),
  }),
]
