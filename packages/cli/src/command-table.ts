import { type Command, type CommandGroup, defineCommand } from './command.ts'
import { defineFlags, type FlagSpec } from './terminal/flags.ts'

const filterFlag = {
  name: 'filter',
  type: 'list',
  value: 'filter',
  help: 'Keep what fits a condition: name=value (repeatable)',
  check: (value: string) =>
    value === '' || value.includes('=') ? undefined : 'bad format of filter (expected name=value)',
} as const satisfies FlagSpec

const formatHelp = "'table' (default), 'table TEMPLATE', 'json',\nor a Go template for each row"

const formatFlag = { name: 'format', type: 'string', help: formatHelp } as const satisfies FlagSpec

const inspectFormatFlag = {
  name: 'format',
  short: 'f',
  type: 'string',
  help: "'json', or a Go template for each object",
} as const satisfies FlagSpec

const dryRunFlag = {
  name: 'dry-run',
  type: 'bool',
  help: 'Only say what would be removed',
} as const satisfies FlagSpec

const noTruncFlag = {
  name: 'no-trunc',
  type: 'bool',
  help: 'Show ids and texts whole',
} as const satisfies FlagSpec

/** Every group of commands, in the order help shows them. */
export const commandGroups: readonly CommandGroup[] = [
  { path: ['image'], summary: 'Manage images' },
  { path: ['manifest'], summary: 'Look at manifests and indexes' },
  { path: ['buildx'], summary: 'Build tools' },
  { path: ['buildx', 'imagetools'], summary: 'Work on images in registries' },
  { path: ['system'], summary: 'Manage the store' },
]

/** Every command, in the order help shows them. */
export const commands: readonly Command[] = [
  defineCommand({
    path: ['pull'],
    aliases: [['image', 'pull']],
    usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
    summary: 'Download an image from a registry',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'all-tags', short: 'a', type: 'bool', help: 'Pull every tag of the repository' },
      {
        name: 'disable-content-trust',
        type: 'bool',
        default: true,
        hidden: true,
        help: 'Accepted as docker does; has no effect',
      },
      {
        name: 'platform',
        type: 'string',
        help: "Platform to choose from an index, or 'all'",
      },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print the name only' },
    ]),
    load: () => import('./commands/pull.ts'),
  }),
  defineCommand({
    path: ['push'],
    aliases: [['image', 'push']],
    usage: '[OPTIONS] NAME[:TAG]',
    summary: 'Upload an image to a registry',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'all-tags', short: 'a', type: 'bool', help: 'Push every tag of the repository' },
      {
        name: 'disable-content-trust',
        type: 'bool',
        default: true,
        hidden: true,
        help: 'Accepted as docker does; has no effect',
      },
      { name: 'platform', type: 'string', help: 'Push only this platform of an index' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print the name only' },
    ]),
    load: () => import('./commands/push.ts'),
  }),
  defineCommand({
    path: ['cp'],
    aliases: [['image', 'copy']],
    usage: '[OPTIONS] SOURCE DESTINATION',
    summary: 'Copy an image between registries, folders, archives and the store',
    count: { min: 2, max: 2 },
    flags: defineFlags([
      { name: 'dry-run', type: 'bool', help: 'Only say what would move' },
      { name: 'platform', type: 'string', help: 'Copy only this platform of an index' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print nothing' },
    ]),
    load: () => import('./commands/cp.ts'),
  }),
  defineCommand({
    path: ['save'],
    aliases: [['image', 'save']],
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: 'Write images to an archive: an OCI layout that docker loads, too',
    count: { min: 1 },
    flags: defineFlags([
      {
        name: 'output',
        short: 'o',
        type: 'string',
        help: 'File to write; default: standard output',
      },
      { name: 'platform', type: 'string', help: 'Save only this platform of an index' },
    ]),
    load: () => import('./commands/save.ts'),
  }),
  defineCommand({
    path: ['load'],
    aliases: [['image', 'load']],
    usage: '[OPTIONS]',
    summary: 'Read images from an archive',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      { name: 'input', short: 'i', type: 'string', help: 'File to read; default: standard input' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'No progress' },
    ]),
    load: () => import('./commands/load.ts'),
  }),
  defineCommand({
    path: ['images'],
    aliases: [
      ['image', 'ls'],
      ['image', 'list'],
    ],
    usage: '[OPTIONS] [REPOSITORY[:TAG]]',
    summary: 'List images',
    count: { min: 0, max: 1 },
    flags: defineFlags([
      { name: 'all', short: 'a', type: 'bool', help: 'Show intermediate images too' },
      { name: 'digests', type: 'bool', help: 'Show digests' },
      { ...filterFlag, short: 'f' },
      formatFlag,
      noTruncFlag,
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print ids only' },
      { name: 'tree', type: 'bool', help: 'Show the platforms of each image' },
    ]),
    load: () => import('./commands/images.ts'),
  }),
  defineCommand({
    path: ['inspect'],
    usage: '[OPTIONS] NAME|ID [NAME|ID...]',
    summary: 'Show everything known about images, as JSON',
    count: { min: 1 },
    flags: defineFlags([
      inspectFormatFlag,
      { name: 'size', short: 's', type: 'bool', help: 'Show sizes of containers' },
      { name: 'type', type: 'string', help: 'Only objects of this type' },
    ]),
    load: () => import('./commands/inspect.ts'),
  }),
  defineCommand({
    path: ['image', 'inspect'],
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: 'Show everything known about images, as JSON',
    count: { min: 1 },
    flags: defineFlags([inspectFormatFlag]),
    load: () => import('./commands/image-inspect.ts'),
  }),
  defineCommand({
    path: ['history'],
    aliases: [['image', 'history']],
    usage: '[OPTIONS] IMAGE',
    summary: 'Show how an image was made, step by step',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      formatFlag,
      {
        name: 'human',
        short: 'H',
        type: 'bool',
        default: true,
        help: 'Print sizes and dates for people',
      },
      noTruncFlag,
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print ids only' },
    ]),
    load: () => import('./commands/history.ts'),
  }),
  defineCommand({
    path: ['tag'],
    aliases: [['image', 'tag']],
    usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
    summary: 'Give an image another name',
    count: { min: 2, max: 2 },
    interspersed: false,
    flags: defineFlags([]),
    load: () => import('./commands/tag.ts'),
  }),
  defineCommand({
    path: ['rmi'],
    aliases: [
      ['image', 'rm'],
      ['image', 'remove'],
    ],
    usage: '[OPTIONS] IMAGE [IMAGE...]',
    summary: "Remove images by name, id, digest, or a quoted pattern ('team/*:old-*')",
    count: { min: 1 },
    flags: defineFlags([
      dryRunFlag,
      { name: 'force', short: 'f', type: 'bool', help: 'Remove an image with several names' },
      { name: 'no-prune', type: 'bool', help: 'Keep untagged parents' },
    ]),
    load: () => import('./commands/rmi.ts'),
  }),
  defineCommand({
    path: ['image', 'prune'],
    usage: '[OPTIONS]',
    summary: 'Remove images nothing names',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      { name: 'all', short: 'a', type: 'bool', help: 'Remove every image no container uses' },
      dryRunFlag,
      filterFlag,
      { name: 'force', short: 'f', type: 'bool', help: 'Do not ask' },
    ]),
    load: () => import('./commands/image-prune.ts'),
  }),
  defineCommand({
    path: ['layers'],
    usage: '[OPTIONS] IMAGE',
    summary: 'Show what each layer adds, changes, hides and wastes',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      { name: 'files', type: 'bool', help: 'List the files of each layer' },
      { name: 'format', type: 'string', help: "'table' (default) or 'json'" },
      { name: 'platform', type: 'string', help: 'Platform to choose from an index' },
      { name: 'remote', type: 'bool', help: 'Read from the registry even if the image is here' },
    ]),
    load: () => import('./commands/layers.ts'),
  }),
  defineCommand({
    path: ['tags'],
    usage: '[OPTIONS] REPOSITORY',
    summary: 'List the tags of a repository in its registry',
    count: { min: 1, max: 1 },
    flags: defineFlags([
      formatFlag,
      { name: 'no-digests', type: 'bool', help: 'Names only: one request for all' },
      { name: 'platform', type: 'string', help: "Show the digest of one platform's image" },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Print tags only' },
    ]),
    load: () => import('./commands/tags.ts'),
  }),
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
        help: 'Read a source descriptor from a file',
      },
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
  defineCommand({
    path: ['login'],
    usage: '[OPTIONS] [SERVER]',
    summary: 'Store credentials for a registry',
    count: { min: 0, max: 1 },
    flags: defineFlags([
      { name: 'password', short: 'p', type: 'string', help: 'Password or access token' },
      { name: 'password-stdin', type: 'bool', help: 'Read the password from standard input' },
      { name: 'username', short: 'u', type: 'string', help: 'User name' },
    ]),
    load: () => import('./commands/login.ts'),
  }),
  defineCommand({
    path: ['logout'],
    usage: '[SERVER]',
    summary: 'Forget the credentials for a registry',
    count: { min: 0, max: 1 },
    flags: defineFlags([]),
    load: () => import('./commands/logout.ts'),
  }),
  defineCommand({
    path: ['system', 'df'],
    usage: '[OPTIONS]',
    summary: 'Show what takes up space',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      formatFlag,
      { name: 'verbose', short: 'v', type: 'bool', help: 'Show each image' },
    ]),
    load: () => import('./commands/system-df.ts'),
  }),
  defineCommand({
    path: ['fsck'],
    usage: '[OPTIONS]',
    summary: 'Check the store: exit code 0 clean, 1 repaired, 2 damage left',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      { name: 'format', type: 'string', help: "'text' (default) or 'json'" },
      { name: 'hash', type: 'bool', help: 'Read and hash every byte' },
      { name: 'repair', type: 'bool', help: 'Fetch damaged content again, set the rest aside' },
    ]),
    load: () => import('./commands/fsck.ts'),
  }),
  defineCommand({
    path: ['gc'],
    usage: '[OPTIONS]',
    summary: 'Remove content that nothing needs',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      dryRunFlag,
      {
        name: 'min-age',
        type: 'string',
        default: '10m',
        help: 'Keep content younger than this',
      },
    ]),
    load: () => import('./commands/gc.ts'),
  }),
  defineCommand({
    path: ['demo'],
    usage: '[OPTIONS]',
    summary: 'Walk through the main job on an embedded registry',
    count: { min: 0, max: 0 },
    flags: defineFlags([
      { name: 'keep', type: 'bool', help: 'Leave the store and the registry for play' },
      { name: 'lang', type: 'string', help: "Language: 'en' or 'tr'" },
    ]),
    load: () => import('./commands/demo.ts'),
  }),
  defineCommand({
    path: ['info'],
    aliases: [['system', 'info']],
    usage: '[OPTIONS]',
    summary: 'Show the store, its settings and this machine',
    count: { min: 0, max: 0 },
    flags: defineFlags([inspectFormatFlag]),
    load: () => import('./commands/info.ts'),
  }),
  defineCommand({
    path: ['version'],
    usage: '[OPTIONS]',
    summary: 'Show the version',
    count: { min: 0, max: 0 },
    flags: defineFlags([inspectFormatFlag]),
    load: () => import('./commands/version.ts'),
  }),
]
