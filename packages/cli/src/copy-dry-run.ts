import { type Descriptor, isIndexType, isManifestType } from '@katman/oci'
import { copyContent, type Target } from '@katman/transfer'
import { type CopyJob, copyOptions } from './copy-job.ts'
import { formatSize } from './terminal/size.ts'

/** What a copy would do, counted. */
export interface DryRun {
  /** Looks at one more image. */
  add(job: CopyJob): Promise<void>
  /** One line with the sums. */
  summary(): string
}

/**
 * Asks the target for everything, prints what is there and what would move or be mounted, and writes nothing. What
 * several images share counts once.
 */
export function openDryRun(target: Target, mountFrom: string | undefined): DryRun {
  const seen = new Set<string>()
  const sums = {
    present: { count: 0, bytes: 0 },
    mount: { count: 0, bytes: 0 },
    missing: { count: 0, bytes: 0 },
  }

  async function add(job: CopyJob): Promise<void> {
    const { context, opened, root } = job
    const note = (what: keyof typeof sums, { digest, size }: Descriptor): void => {
      if (seen.has(digest)) return
      seen.add(digest)
      sums[what].count++
      sums[what].bytes += size
      context.stdout.write(`${what.padEnd(8)} ${digest} ${formatSize(size)}\n`)
    }
    const asked: Target = {
      name: target.name,
      async has(descriptor, call) {
        // What another image would bring is there by then.
        if (seen.has(descriptor.digest)) return true
        const isThere = await target.has(descriptor, call)
        if (isThere) note('present', descriptor)
        return isThere
      },
      write: async (descriptor) =>
        note(mountFrom !== undefined && isBlob(descriptor) ? 'mount' : 'missing', descriptor),
    }
    const options = await copyOptions(job, () => {})
    await copyContent(opened.source, asked, root, options)
  }

  return {
    add,
    summary() {
      const text = (what: keyof typeof sums): string =>
        `${sums[what].count} (${formatSize(sums[what].bytes)})`
      const mounts = mountFrom === undefined ? '' : `, to mount from ${mountFrom}: ${text('mount')}`
      return `to move: ${text('missing')}${mounts}, already there: ${text('present')}`
    },
  }
}

function isBlob({ mediaType }: Descriptor): boolean {
  return !isIndexType(mediaType) && !isManifestType(mediaType)
}
