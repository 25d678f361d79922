import { type Command, type CommandGroup, defineCommand } from './command.ts'
import { formatFlag } from './shared-flags.ts'
import { defineFlags, type FlagSpec } from './terminal/flags.ts'

export const registryWebhookGroups: readonly CommandGroup[] = [
  { path: ['registry', 'webhook'], summary: 'Manage whom a registry tells its events' },
]

const quietFlag = {
  name: 'quiet',
  short: 'q',
  type: 'bool',
  help: 'Print IDs only',
} as const satisfies FlagSpec

/** The commands for the webhooks of a registry that runs. */
export const registryWebhookCommands: readonly Command[] = [
  defineCommand({
    path: ['registry', 'webhook', 'create'],
    usage: '[OPTIONS] HOST URL',
    summary: 'Have events sent to an address',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      {
        name: 'namespace',
        type: 'string',
        help: 'Those of this namespace (default: of the whole\nregistry, for its administrators)',
      },
      {
        name: 'repositories',
        type: 'string',
        value: 'pattern',
        help: "Only of these: 'team/app', 'team/*' (default all)",
      },
      {
        name: 'type',
        type: 'list',
        help: "Only of this type: 'tag.moved' (repeatable; default all\nbut pulls)",
      },
    ]),
    load: async () => ({ run: (await import('./registry/webhooks.ts')).create }),
  }),
  defineCommand({
    path: ['registry', 'webhook', 'log'],
    usage: '[OPTIONS] HOST ID',
    summary: 'List what was sent, the newest first',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      formatFlag,
      { name: 'limit', type: 'int', default: 50, help: 'How many messages' },
      quietFlag,
    ]),
    load: async () => ({ run: (await import('./registry/webhooks.ts')).log }),
  }),
  defineCommand({
    path: ['registry', 'webhook', 'ls'],
    usage: '[OPTIONS] HOST [NAMESPACE]',
    summary: 'List the webhooks of a namespace, or of the whole registry',
    count: { min: 1, max: 2 },
    flags: defineFlags([formatFlag, quietFlag]),
    load: async () => ({ run: (await import('./registry/webhooks.ts')).list }),
  }),
  defineCommand({
    path: ['registry', 'webhook', 'rm'],
    usage: 'HOST ID [ID...]',
    summary: 'Remove webhooks with their logs',
    count: { min: 2 },
    flags: [],
    load: async () => ({ run: (await import('./registry/webhooks.ts')).remove }),
  }),
  defineCommand({
    path: ['registry', 'webhook', 'set'],
    usage: '[OPTIONS] HOST ID',
    summary: 'Disable a webhook, or enable it again',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      {
        name: 'disabled',
        type: 'optional',
        bare: 'true',
        value: 'bool',
        help: 'Whether nothing is sent',
      },
    ]),
    load: async () => ({ run: (await import('./registry/webhooks.ts')).set }),
  }),
  defineCommand({
    path: ['registry', 'webhook', 'test'],
    usage: 'HOST ID',
    summary: 'Send a message now',
    count: { min: 2, max: 2 },
    flags: [],
    load: async () => ({ run: (await import('./registry/webhooks.ts')).test }),
  }),
]
