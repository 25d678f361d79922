import { type Command, defineCommand } from './command.ts'
import { settingFlags } from './registry/settings.ts'
import { defineFlags, type FlagSpec } from './terminal/flags.ts'

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
  defineCommand({
    path: ['registry', 'move'],
    usage: '[OPTIONS]',
    summary: 'Move a registry to PostgreSQL and S3 while it serves',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      { name: 'cancel', type: 'bool', help: 'Take a move back: the folder changes again' },
      { name: 'data', type: 'string', value: 'folder', help: 'Folder of the registry that moves' },
      { name: 'to-db', type: 'string', value: 'url', help: 'Empty database: postgres://…' },
      { name: 'to-storage', type: 'string', value: 'url', help: 'Bucket: s3://…' },
    ]),
    load: () => import('./commands/registry-move.ts'),
  }),
]
