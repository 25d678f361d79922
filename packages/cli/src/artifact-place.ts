import { type Descriptor, type Reference } from '@katman/oci'
import {
  type NamingTarget,
  openOciLayout,
  type ReferrerSource,
  type Source,
} from '@katman/transfer'
import type { Context } from './context.ts'
import {
  type OpenedSource,
  openSource,
  parsePlace,
  placeInvalid,
  type PlaceName,
} from './copy-places.ts'
import { narrowTo } from './narrow-to.ts'
import { typedPlatform } from './host-platform.ts'

/** Where artifacts go: a repository or a layout, with the tags to give. */
export interface ArtifactTarget {
  readonly place: Source & NamingTarget & ReferrerSource
  readonly tags: readonly string[]
  /** As it is shown, without a tag. */
  readonly name: string
  readonly reference: Reference | undefined
}

/** Reads `NAME:TAG,TAG`: the first with its place, and the other tags. */
function splitTags(typed: string): readonly [string, ...string[]] {
  const colon = typed.lastIndexOf(':')
  if (colon < typed.lastIndexOf('/')) return [typed]
  const [first = '', ...others] = typed.slice(colon + 1).split(',')
  return [`${typed.slice(0, colon)}:${first}`, ...others]
}

/** Opens the place that artifacts are pushed to. Throws `PLACE_INVALID` for one that takes none. */
export async function openArtifactTarget(
  context: Context,
  typed: string,
  stack: AsyncDisposableStack,
): Promise<ArtifactTarget> {
  const [first, ...others] = splitTags(typed)
  const place = parsePlace(first)
  if (place.kind === 'docker') {
    const { reference } = place
    if (reference.digest !== undefined) throw placeInvalid(typed, 'a digest cannot be chosen')
    const remote = stack.use(await context.openRemote())
    return {
      place: remote.repository(reference),
      tags: tagsOf(reference.tag, others),
      name: `${reference.registry}/${reference.repository}`,
      reference,
    }
  }
  if (place.kind === 'oci') {
    return {
      place: await openOciLayout(place.path, { create: true }),
      tags: tagsOf(place.name, others),
      name: `oci:${place.path}`,
      reference: undefined,
    }
  }
  throw placeInvalid(typed, 'artifacts go to registries and to OCI layouts')
}

/** What an artifact command reads: the manifest of one artifact. */
export async function openArtifact(
  context: Context,
  typed: string,
  platform: string | undefined,
  stack: AsyncDisposableStack,
): Promise<{
  readonly opened: OpenedSource
  readonly source: Source
  readonly root: Descriptor
  readonly place: PlaceName
}> {
  const place = parsePlace(typed)
  const opened = await openSource(context, place, stack)
  const root = platform ? await narrowTo(opened, typedPlatform(platform)) : opened.root
  return { opened, source: opened.source, root, place }
}

function tagsOf(first: string | undefined, others: readonly string[]): readonly string[] {
  return first === undefined ? [] : [first, ...others]
}
