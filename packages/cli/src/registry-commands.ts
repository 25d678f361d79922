import { type Command, defineCommand } from './command.ts'
import { settingFlags } from './registry/settings.ts'
import type { FlagSpec } from './terminal/flags.ts'

const serveFlags: readonly FlagSpec[] = [
  { name: 'config', type: 'string', value: 'file', help: 'YAML file with these settings' },
  { name: 'print-config', type: 'bool', help: 'Show every setting with its origin, and quit' },
  ...settingFlags(),
]

/** Everything about a registry of one's own. */
export const registryCommands: readonly Command[] = [
  defineCommand({
    path: ['registry', 'serve'],
    usage: '[OPTIONS]',
    summary: 'Serve a registry',
    count: { min: 0, max: 0 },
    flags: serveFlags.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    load: () => import('./commands/registry-serve.ts'),
  }),
]
