import { type Command, defineCommand } from './command.ts'
import { defineFlags } from './terminal/flags.ts'

/** The commands that look at and make manifests and indexes. */
export const manifestCommands: readonly Command[] = [
  defineCommand({
    path: ['manifest', 'annotate'],
    usage: '[OPTIONS] MANIFEST_LIST MANIFEST',
    summary: 'Say which platform a manifest of a local list is for',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      { name: 'arch', type: 'string', help: 'Architecture' },
      { name: 'os', type: 'string', help: 'Operating system' },
      {
        name: 'os-features',
        type: 'list',
        value: 'strings',
        help: 'Features of the operating system',
      },
      { name: 'os-version', type: 'string', help: 'Version of the operating system' },
      { name: 'variant', type: 'string', help: 'Variant of the architecture' },
    ]),
    load: () => import('./commands/manifest-annotate.ts'),
  }),
  defineCommand({
    path: ['manifest', 'create'],
    usage: 'MANIFEST_LIST MANIFEST [MANIFEST...]',
    summary: 'Begin a local list of manifests that are in registries',
    count: { min: 2 },
    flags: defineFlags([
      { name: 'amend', short: 'a', type: 'bool', help: 'Add to a list that is there' },
      { name: 'insecure', type: 'bool', help: 'Allow plain http and unverified TLS' },
    ]),
    load: () => import('./commands/manifest-create.ts'),
  }),
  defineCommand({
    path: ['manifest', 'push'],
    usage: '[OPTIONS] MANIFEST_LIST',
    summary: 'Push a local list to its registry',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'insecure', type: 'bool', help: 'Allow plain http and unverified TLS' },
      { name: 'purge', short: 'p', type: 'bool', help: 'Forget the local list afterwards' },
    ]),
    load: () => import('./commands/manifest-push.ts'),
  }),
  defineCommand({
    path: ['manifest', 'rm'],
    usage: 'MANIFEST_LIST [MANIFEST_LIST...]',
    summary: 'Forget local lists',
    count: { min: 1 },
    flags: defineFlags([]),
    load: () => import('./commands/manifest-rm.ts'),
  }),
  defineCommand({
    path: ['manifest', 'inspect'],
    usage: '[OPTIONS] [MANIFEST_LIST] MANIFEST',
    summary: 'Show a manifest or an index, straight from the registry',
    count: { min: 1, max: 2 },
    flags: defineFlags([
      { name: 'insecure', type: 'bool', help: 'Allow plain http and unverified TLS' },
      { name: 'verbose', short: 'v', type: 'bool', help: 'Show descriptors and raw bytes too' },
    ]),
    load: () => import('./commands/manifest-inspect.ts'),
  }),
  defineCommand({
    path: ['buildx', 'imagetools', 'create'],
    usage: '[OPTIONS] [SOURCE...]',
    summary: 'Make an index of images in registries',
    count: { min: 0 },
    flags: defineFlags([
      {
        name: 'annotation',
        type: 'list',
        value: 'stringArray',
        help: 'index:KEY=VALUE or manifest-descriptor:KEY=VALUE',
      },
      { name: 'append', type: 'bool', help: 'Keep the entries that the tag has' },
      { name: 'dry-run', type: 'bool', help: 'Print the index, push nothing' },
      {
        name: 'file',
        short: 'f',
        type: 'list',
        value: 'stringArray',
        help: 'Read a source from a file: a descriptor, a digest or a name',
      },
      { name: 'metadata-file', type: 'string', help: 'Write what was made into a file, as JSON' },
      {
        name: 'platform',
        short: 'p',
        type: 'list',
        value: 'stringArray',
        help: 'Take these platforms only',
      },
      {
        name: 'prefer-index',
        type: 'bool',
        default: true,
        help: 'Make an index of a single manifest, too',
      },
      {
        name: 'tag',
        short: 't',
        type: 'list',
        value: 'stringArray',
        help: 'Where to push it (repeatable)',
      },
    ]),
    load: () => import('./commands/imagetools-create.ts'),
  }),
  defineCommand({
    path: ['buildx', 'imagetools', 'inspect'],
    usage: '[OPTIONS] NAME',
    summary: 'Show an image of a registry with its platforms',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'format', type: 'string', help: "'json', or a Go template" },
      { name: 'raw', type: 'bool', help: 'Print the exact bytes of the manifest' },
    ]),
    load: () => import('./commands/imagetools-inspect.ts'),
  }),
]
