import { type Descriptor, isDigest, isTag, parseReference } from '@katman/oci'
import { type ArtifactTarget, openArtifactTarget } from '../artifact-place.ts'
import type { DraftFlags } from '../artifact-draft.ts'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { pushArtifact } from '../push-artifact.ts'
import { escapeTerminal } from '../terminal/escape.ts'

export interface ArtifactPushFlags extends DraftFlags {
  readonly config: string | undefined
  readonly quiet: boolean
  readonly subject: string | undefined
}

/** `artifact push NAME FILE...` */
export async function run(
  context: Context,
  flags: ArtifactPushFlags,
  [name = '', ...files]: readonly string[],
): Promise<void> {
  try {
    await using stack = new AsyncDisposableStack()
    const target = await openArtifactTarget(context, name, stack)
    const subject = flags.subject ? await findSubject(context, target, flags.subject) : undefined
    const { root, artifactType } = await pushArtifact(context, flags, target, files, subject)
    if (flags.quiet) {
      context.stdout.write(`${root.digest}\n`)
      return
    }
    const shown = target.tags.length === 0 ? `@${root.digest}` : `:${target.tags.join(',')}`
    context.stdout.write(
      `Pushed ${escapeTerminal(target.name)}${escapeTerminal(shown)}\nArtifactType: ${artifactType}\nDigest: ${root.digest}\n`,
    )
  } catch (error) {
    throw plainFailure(error)
  }
}

/** A tag or digest of the same place, or a whole name in it. */
async function findSubject(
  { signal }: Context,
  { place, reference }: ArtifactTarget,
  typed: string,
): Promise<Descriptor> {
  if (isDigest(typed) || isTag(typed)) return place.resolve(typed, { signal })
  const { registry, repository, tag, digest } = parseReference(typed)
  const wanted = digest ?? tag
  const isHere = reference?.registry === registry && reference.repository === repository
  if (!isHere || wanted === undefined) {
    throw new CommandFailure(`--subject ${typed}: give a tag or digest of the same repository`)
  }
  return place.resolve(wanted, { signal })
}
