import { artifactTypeOf, packArtifact, titleOf } from '@katman/artifact'
import { type Descriptor, shortDigest } from '@katman/oci'
import { copyContent, type CopyEvent } from '@katman/transfer'
import type { ArtifactTarget } from './artifact-place.ts'
import { type DraftFlags, readDraft } from './artifact-draft.ts'
import type { Context } from './context.ts'
import { escapeTerminal } from './terminal/escape.ts'

export interface PushedArtifact {
  readonly root: Descriptor
  readonly artifactType: string
}

/** Packs files, copies them to the target and gives them its tags. */
export async function pushArtifact(
  context: Context,
  flags: DraftFlags & { readonly quiet: boolean },
  target: ArtifactTarget,
  files: readonly string[],
  subject: Descriptor | undefined,
): Promise<PushedArtifact> {
  const { signal } = context
  const draft = await readDraft(flags, files, context.now())
  await using packed = await packArtifact({ ...draft, subject }, { signal })
  const onEvent = artifactLines(context, flags.quiet, 'Uploaded', 'Exists')
  await copyContent(packed, target.place, packed.root, { signal, onEvent, readFrom: 'source' })
  for (const tag of target.tags) await target.place.tag(tag, packed.root, { signal })
  return { root: packed.root, artifactType: artifactTypeOf(packed.manifest) }
}

/** One line for each file as it has moved. */
export function artifactLines(
  { stderr }: Context,
  quiet: boolean,
  moved: string,
  present: string | undefined,
): (event: CopyEvent) => void {
  return ({ type, descriptor }) => {
    const word = type === 'copied' ? moved : type === 'present' ? present : undefined
    if (quiet || word === undefined) return
    const name = titleOf(descriptor) ?? descriptor.mediaType
    stderr.write(`${word.padEnd(10)} ${shortDigest(descriptor.digest)} ${escapeTerminal(name)}\n`)
  }
}
