import { openArtifactTarget } from '../artifact-place.ts'
import type { DraftFlags } from '../artifact-draft.ts'
import type { Context } from '../context.ts'
import { openSource, parsePlace } from '../copy-places.ts'
import { narrowTo } from '../narrow-to.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { pushArtifact } from '../push-artifact.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { typedPlatform } from '../host-platform.ts'

export interface ArtifactAttachFlags extends DraftFlags {
  readonly platform: string | undefined
  readonly quiet: boolean
}

/** `artifact attach IMAGE FILE...` */
export async function run(
  context: Context,
  flags: ArtifactAttachFlags,
  [name = '', ...files]: readonly string[],
): Promise<void> {
  if (!flags.artifactType) {
    throw new CommandFailure('artifact attach: say what it is with --artifact-type')
  }
  if (files.length === 0 && flags.annotation.length === 0 && !flags.annotationFile) {
    throw new CommandFailure('artifact attach: give a file or an annotation to attach')
  }
  try {
    await using stack = new AsyncDisposableStack()
    const place = parsePlace(name)
    const opened = await openSource(context, place, stack)
    const subject = flags.platform
      ? await narrowTo(opened, typedPlatform(flags.platform))
      : opened.root
    const target = await openArtifactTarget(context, withoutName(name, place), stack)
    const { root } = await pushArtifact(context, flags, target, files, subject)
    if (flags.quiet) context.stdout.write(`${root.digest}\n`)
    else {
      const shown = escapeTerminal(`${target.name}@${subject.digest}`)
      context.stdout.write(`Attached to ${shown}\nDigest: ${root.digest}\n`)
    }
  } catch (error) {
    throw plainFailure(error)
  }
}

/** The place alone: what is attached gets no tag. */
function withoutName(typed: string, place: ReturnType<typeof parsePlace>): string {
  if ('path' in place) return `${place.kind}:${place.path}`
  if (place.kind !== 'docker') return typed
  const { registry, repository } = place.reference
  return `docker://${registry}/${repository}`
}
