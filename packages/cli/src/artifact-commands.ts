import { type Command, defineCommand } from './command.ts'
import { formatFlag } from './shared-flags.ts'
import { defineFlags } from './terminal/flags.ts'

const annotationFlags = [
  {
    name: 'annotation',
    short: 'a',
    type: 'list',
    value: 'stringArray',
    help: 'Annotation of the manifest: KEY=VALUE (repeatable)',
  },
  {
    name: 'annotation-file',
    type: 'string',
    help: 'JSON file with annotations: of $manifest, of $config, of files by their name',
  },
  { name: 'artifact-type', type: 'string', help: 'What it is: application/vnd.example.report' },
] as const

const platformFlag = {
  name: 'platform',
  type: 'string',
  help: 'Platform to choose from an index',
} as const

/** The commands for artifacts: files in registries. */
export const artifactCommands: readonly Command[] = [
  defineCommand({
    path: ['artifact', 'attach'],
    usage: '[OPTIONS] IMAGE FILE[:TYPE] [FILE[:TYPE]...]',
    summary: 'Push files that refer to an image',
    count: { min: 1 },
    flags: defineFlags([
      ...annotationFlags,
      platformFlag,
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print the digest only' },
    ]),
    load: () => import('./commands/artifact-attach.ts'),
  }),
  defineCommand({
    path: ['artifact', 'ls'],
    usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
    summary: 'List the files of an artifact',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      formatFlag,
      platformFlag,
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print names of files only' },
    ]),
    load: () => import('./commands/artifact-ls.ts'),
  }),
  defineCommand({
    path: ['artifact', 'pull'],
    usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
    summary: 'Download the files of an artifact',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'keep-old-files', short: 'k', type: 'bool', help: 'Never replace a file' },
      {
        name: 'output',
        short: 'o',
        type: 'string',
        help: 'Folder for the files; default: the working directory',
      },
      platformFlag,
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print the digest only' },
    ]),
    load: () => import('./commands/artifact-pull.ts'),
  }),
  defineCommand({
    path: ['artifact', 'push'],
    usage: '[OPTIONS] NAME[:TAG[,TAG...]] FILE[:TYPE] [FILE[:TYPE]...]',
    summary: 'Upload files to a registry or a layout',
    count: { min: 1 },
    flags: defineFlags([
      ...annotationFlags,
      { name: 'config', type: 'string', help: 'File to be the config: FILE[:TYPE]' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print the digest only' },
      { name: 'subject', type: 'string', help: 'Tag or digest of the image it refers to' },
    ]),
    load: () => import('./commands/artifact-push.ts'),
  }),
]
