import { unpackArtifact } from '@katman/artifact'
import { shortDigest } from '@katman/oci'
import { admit, policyPlace } from '../admit.ts'
import { openArtifact } from '../artifact-place.ts'
import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { artifactLines } from '../push-artifact.ts'
import { escapeTerminal } from '../terminal/escape.ts'

export interface ArtifactPullFlags {
  readonly keepOldFiles: boolean
  readonly output: string | undefined
  readonly platform: string | undefined
  readonly quiet: boolean
}

/** `artifact pull NAME` */
export async function run(
  context: Context,
  flags: ArtifactPullFlags,
  [name = '']: readonly string[],
): Promise<void> {
  try {
    await using stack = new AsyncDisposableStack()
    const artifact = await openArtifact(context, name, flags.platform, stack)
    const { opened, source, root, place } = artifact
    const from = policyPlace(place, opened)
    const taken = { source, root: opened.root, chosen: async () => [root] }
    if (from !== undefined) await admit(context, { ...taken, from })
    const { placed, unnamed } = await unpackArtifact(source, root, flags.output || '.', {
      keepOld: flags.keepOldFiles,
      signal: context.signal,
      onEvent: artifactLines(context, flags.quiet, 'Downloaded', undefined),
    })
    for (const { digest, mediaType, size } of unnamed) {
      // The empty content of a manifest without files.
      if (flags.quiet || size <= 2) continue
      context.stderr.write(`Skipped    ${shortDigest(digest)} ${escapeTerminal(mediaType)}\n`)
    }
    const count = placed.length === 1 ? '1 file' : `${placed.length} files`
    context.stdout.write(
      flags.quiet
        ? `${root.digest}\n`
        : `Pulled ${escapeTerminal(name)}: ${count}\nDigest: ${root.digest}\n`,
    )
  } catch (error) {
    throw plainFailure(error)
  }
}
