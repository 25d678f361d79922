import type { Platform } from '@katman/oci'
import { admit, policyPlace } from '../admit.ts'
import type { Context } from '../context.ts'
import type { CopyFlags, CopyJob } from '../copy-job.ts'
import {
  openAllTags,
  type OpenedSource,
  openSource,
  parsePlace,
  placeInvalid,
  type PlaceName,
} from '../copy-places.ts'
import { narrowTo } from '../narrow-to.ts'
import { openTarget } from '../copy-target.ts'
import { plainFailure } from '../failure.ts'
import { typedPlatform } from '../host-platform.ts'

/** `cp SOURCE DESTINATION` */
export async function run(
  context: Context,
  flags: CopyFlags,
  [from = '', to = '']: readonly string[],
): Promise<void> {
  try {
    await using stack = new AsyncDisposableStack()
    const source = parsePlace(from)
    const destination = parsePlace(to)
    const platform = flags.platform ? typedPlatform(flags.platform) : undefined
    const opened = flags.allTags
      ? await openAllTags(context, source, stack)
      : [await openSource(context, source, stack)]
    if (opened.length === 0) throw placeInvalid(from, 'it has no tags')
    const jobs: CopyJob[] = []
    for (const one of opened) jobs.push(await admitted(context, flags, source, one, platform))
    for (const { root } of jobs) checkDigest(destination, root, to)
    const target = await openTarget(destination, { context, flags, source, stack, typed: to })
    for (const job of jobs) await target.copy(job)
    await target.end?.()
    // Standard output is the archive.
    if (flags.quiet || flags.dryRun || destination.kind === 'stream') return
    for (const {
      opened: { tag },
      root,
    } of jobs) {
      context.stdout.write(
        flags.allTags ? `${tag ?? '<none>'}: ${root.digest}\n` : `${root.digest}\n`,
      )
    }
  } catch (error) {
    throw plainFailure(error)
  }
}

async function admitted(
  context: Context,
  flags: CopyFlags,
  source: PlaceName,
  opened: OpenedSource,
  platform: Platform | undefined,
): Promise<CopyJob> {
  const root = platform === undefined ? opened.root : await narrowTo(opened, platform)
  const place = policyPlace(source, opened)
  if (place !== undefined) {
    const chosen = platform === undefined ? {} : { chosen: async () => [root] }
    await admit(context, { source: opened.source, root: opened.root, from: place, ...chosen })
  }
  return { context, flags, opened, root, source }
}

/** A name with a digest can only be given to what has that digest. */
function checkDigest(destination: PlaceName, { digest }: CopyJob['root'], typed: string): void {
  const wanted = 'reference' in destination ? destination.reference.digest : undefined
  if (wanted === undefined || wanted === digest) return
  throw placeInvalid(typed, `what is copied has another digest: ${digest}`)
}
