import { type Descriptor, familiarName, formatPlatform, type Reference } from '@katman/oci'
import type { Context } from '../context.ts'
import { openSource, parsePlace, type PlaceName } from '../copy-places.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { type ReferrerNode, readReferrerTree, type ReferrerTree } from '../referrer-tree.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { goJson } from '../terminal/go-json.ts'
import { formatSize } from '../terminal/size.ts'

export interface ReferrersFlags {
  readonly artifactType: string | undefined
  readonly format: string | undefined
}

/** `referrers SOURCE` */
export async function run(
  context: Context,
  flags: ReferrersFlags,
  [name = '']: readonly string[],
): Promise<void> {
  const format = flags.format || 'tree'
  if (format !== 'tree' && format !== 'json') {
    throw new CommandFailure(`referrers: unknown format ${format}: choose 'tree' or 'json'`)
  }
  try {
    await using stack = new AsyncDisposableStack()
    const place = parsePlace(name)
    const opened = await openSource(context, place, stack)
    const tree = await readReferrerTree(opened.source, opened.root, {
      has: opened.has,
      artifactType: flags.artifactType || undefined,
      signal: context.signal,
    })
    const shown = shownName(place, opened.reference)
    const text =
      format === 'json' ? `${goJson(treeJson(tree, shown), '  ')}\n` : treeText(tree, shown)
    context.stdout.write(text)
    if (tree.referrers.length + tree.manifests.length === 0) {
      context.stderr.write('Nothing refers to it.\n')
    }
  } catch (error) {
    throw plainFailure(error)
  }
}

function shownName(place: PlaceName, reference: Reference | undefined): string {
  if ('path' in place) return `${place.kind}:${place.path}`
  if (place.kind === 'stream') return 'standard input'
  const name = familiarName(reference ?? place.reference)
  return place.kind === 'store' ? `store:${name}` : name
}

interface Line {
  readonly text: string
  readonly below: readonly Line[]
}

function treeText(tree: ReferrerTree, name: string): string {
  const below = [
    ...tree.referrers.map(nodeLine),
    ...tree.manifests.map((one) => ({
      text: manifestText(one),
      below: one.referrers.map(nodeLine),
    })),
  ]
  const lines = [`${name}@${tree.descriptor.digest}`, ...below.flatMap(branch)]
  return `${lines.map((line) => escapeTerminal(line)).join('\n')}\n`
}

function branch({ text, below }: Line, position: number, all: readonly Line[]): readonly string[] {
  const isLast = position === all.length - 1
  return [
    `${isLast ? '└── ' : '├── '}${text}`,
    ...below.flatMap(branch).map((line) => `${isLast ? '    ' : '│   '}${line}`),
  ]
}

function nodeLine({ descriptor, by, tag, predicateTypes, referrers }: ReferrerNode): Line {
  const size = formatSize(descriptor.size)
  const how = by === 'tag' ? `, tag ${tag}` : by === 'index' ? ', in the index' : ''
  const statements = predicateTypes.map((type) => ({ text: type, below: [] }))
  return {
    text: `${kindOf(descriptor, tag, by)}  ${descriptor.digest}  ${size}${how}`,
    below: [...statements, ...referrers.map(nodeLine)],
  }
}

function kindOf(
  { artifactType, mediaType }: Descriptor,
  tag: string | undefined,
  by: string,
): string {
  if (by === 'index') return 'attestations (BuildKit)'
  if (tag?.endsWith('.sig')) return 'signatures (cosign)'
  if (tag?.endsWith('.att')) return 'attestations (cosign)'
  if (tag?.endsWith('.sbom')) return 'SBOM (cosign)'
  return artifactType ?? mediaType
}

function manifestText({ descriptor }: ReferrerTree): string {
  const { platform, mediaType, digest } = descriptor
  return `${platform === undefined ? mediaType : formatPlatform(platform)}  ${digest}`
}

function treeJson(tree: ReferrerTree, name: string): unknown {
  return {
    name,
    ...descriptorJson(tree.descriptor),
    referrers: tree.referrers.map(nodeJson),
    manifests: tree.manifests.map((one) => ({
      ...descriptorJson(one.descriptor),
      referrers: one.referrers.map(nodeJson),
    })),
  }
}

function nodeJson({ descriptor, by, tag, predicateTypes, referrers }: ReferrerNode): unknown {
  return {
    ...descriptorJson(descriptor),
    by,
    tag,
    predicateTypes: predicateTypes.length === 0 ? undefined : predicateTypes,
    referrers: referrers.map(nodeJson),
  }
}

function descriptorJson({
  mediaType,
  digest,
  size,
  artifactType,
  annotations,
  platform,
}: Descriptor) {
  return {
    mediaType,
    digest,
    size,
    artifactType,
    annotations,
    platform: platform === undefined ? undefined : formatPlatform(platform),
  }
}
