import { lstatSync } from 'node:fs'
import path from 'node:path'
import { saveArchive } from '@katman/archive'
import {
  type Descriptor,
  familiarName,
  familiarReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { loadImage } from '@katman/store'
import {
  copyContent,
  type NamingTarget,
  openMemoryPlace,
  openOciLayout,
  type Target,
} from '@katman/transfer'
import type { Context } from './context.ts'
import {
  type CopyFlags,
  type CopyJob,
  copyLines,
  copyOptions,
  mountSourceOf,
  presentBelow,
} from './copy-job.ts'
import { openDryRun } from './copy-dry-run.ts'
import { type PlaceName, placeInvalid, shownManifest } from './copy-places.ts'
import { CommandFailure } from './failure.ts'
import { hostPlatform } from './host-platform.ts'
import { writeFileWhole, writeOutput } from './write-file.ts'

/** Where images are copied to, one after the other. */
export interface CopyTarget {
  copy(job: CopyJob): Promise<void>
  /** What is done after the last. */
  end?(): Promise<void>
}

interface TargetOptions {
  readonly context: Context
  readonly flags: CopyFlags
  readonly source: PlaceName
  readonly stack: AsyncDisposableStack
  /** The destination as it was typed. */
  readonly typed: string
}

/** Opens the place to copy to; for a dry run one that only looks, and makes nothing. `stack` closes it. */
export async function openTarget(
  destination: PlaceName,
  options: TargetOptions,
): Promise<CopyTarget> {
  checkDestination(destination, options)
  return options.flags.dryRun ? openDry(destination, options) : openReal(destination, options)
}

async function openReal(destination: PlaceName, options: TargetOptions): Promise<CopyTarget> {
  const { context, stack } = options
  switch (destination.kind) {
    case 'docker': {
      const { reference } = destination
      const repository = await openRepository(reference, options)
      return {
        copy: (job) =>
          copyAndName(job, repository, (root) => tagRepository(repository, job, root, reference)),
      }
    }
    case 'oci': {
      const layout = await openOciLayout(destination.path, { create: true })
      return {
        copy: (job) =>
          copyAndName(job, layout, async (root) => {
            const name = destination.name ?? job.opened.tag
            if (name === undefined) await layout.list(root)
            else await layout.tag(name, root)
          }),
      }
    }
    case 'store': {
      const store = stack.use(await context.openStore())
      return {
        async copy(job) {
          await loadImage(
            store,
            job.opened.source,
            job.root,
            [namedLike(destination.reference, job)],
            {
              has: await presentBelow(job),
              shown: hostPlatform(),
              referrers: job.flags.referrers,
              signal: context.signal,
              now: context.now,
              onEvent: copyLines(job),
            },
          )
        },
      }
    }
    case 'oci-archive':
    case 'docker-archive':
    case 'stream':
      return openArchiveTarget(destination, options)
  }
}

/** Nothing is there where nothing is: a dry run does not make the place to ask it. */
async function openDry(destination: PlaceName, options: TargetOptions): Promise<CopyTarget> {
  const { context, source } = options
  const mountFrom =
    destination.kind === 'docker' ? mountSourceOf(source, destination.reference)[0] : undefined
  const dryRun = openDryRun(await openAsked(destination, options), mountFrom)
  return {
    copy: (job) => dryRun.add(job),
    async end() {
      context.stdout.write(`${dryRun.summary()}\n`)
    },
  }
}

async function openAsked(destination: PlaceName, options: TargetOptions): Promise<Target> {
  const { context, stack } = options
  switch (destination.kind) {
    case 'docker':
      return openRepository(destination.reference, options)
    case 'oci':
      return isThere(path.join(destination.path, 'index.json'))
        ? openOciLayout(destination.path)
        : openMemoryPlace()
    case 'store':
      return isThere(context.root) ? stack.use(await context.openStore()) : openMemoryPlace()
    default:
      // An archive is always written whole.
      return openMemoryPlace()
  }
}

async function openRepository(reference: Reference, { context, source, stack }: TargetOptions) {
  const remote = stack.use(await context.openRemote())
  // What is sent from the store is remembered there, as of a push.
  const store = source.kind === 'store' ? stack.use(await context.openStore()) : undefined
  return remote.repository(reference, {
    mountSources: () => mountSourceOf(source, reference),
    ...(store === undefined ? {} : { uploadLedger: store.uploads }),
  })
}

async function copyAndName(
  job: CopyJob,
  target: NamingTarget,
  name: (root: Descriptor) => Promise<void>,
): Promise<void> {
  const { opened, root } = job
  await copyContent(opened.source, target, root, await copyOptions(job, copyLines(job)))
  await name(root)
}

async function tagRepository(
  target: NamingTarget,
  job: CopyJob,
  root: Descriptor,
  reference: Reference,
): Promise<void> {
  const { tag, digest } = namedLike(reference, job)
  if (digest === undefined && tag !== undefined) {
    await target.tag(tag, root, { signal: job.context.signal })
  }
}

/** Archives are written whole, when all images are known. */
function openArchiveTarget(
  destination: Exclude<PlaceName, { readonly reference: Reference } | { readonly kind: 'oci' }>,
  { context, typed }: TargetOptions,
): CopyTarget {
  const jobs: CopyJob[] = []
  const { signal, stdout } = context
  if (destination.kind === 'stream' && stdout.isTerminal) {
    throw new CommandFailure('cowardly refusing to write an archive to a terminal: redirect it')
  }
  return {
    async copy(job) {
      jobs.push(job)
    },
    async end() {
      const [first] = jobs
      if (first === undefined) throw placeInvalid(typed, 'there is nothing to put into it')
      const { source, has } = first.opened
      const own = destination.kind === 'stream' ? undefined : destination.name
      const images = await Promise.all(
        jobs.map(async ({ opened, root }) => {
          const name = archiveName(own, opened.reference)
          const manifest = await shownManifest(opened, root, hostPlatform())
          return { root, manifest, names: name === undefined ? [] : [name] }
        }),
      )
      const bytes = saveArchive(source, images, { has: async (one) => has(one), signal })
      if (destination.kind === 'stream') await writeOutput(bytes, stdout)
      else await writeFileWhole(bytes, destination.path)
    },
  }
}

/** The name in an archive: as typed, a tag for the source's name, or the source's name. */
function archiveName(name: string | undefined, own: Reference | undefined): Reference | undefined {
  if (name !== undefined) return withDefaultTag(parseReference(name))
  return own === undefined || own.tag === undefined
    ? undefined
    : parseReference(familiarReference(own))
}

/** The destination's name; of all tags each keeps its own. */
function namedLike(reference: Reference, { flags, opened }: CopyJob): Reference {
  if (!flags.allTags) return withDefaultTag(reference)
  if (opened.tag !== undefined) return { ...reference, tag: opened.tag }
  throw placeInvalid(opened.source.name, `${opened.root.digest} has no tag to keep`)
}

function checkDestination(destination: PlaceName, { flags, typed }: TargetOptions): void {
  const isArchive = !('reference' in destination) && destination.kind !== 'oci'
  if (isArchive && flags.referrers) throw placeInvalid(typed, 'an archive takes no referrers')
  if (!flags.allTags) return
  const { tag, digest } =
    'reference' in destination ? destination.reference : { tag: undefined, digest: undefined }
  const name = 'name' in destination ? destination.name : undefined
  if (tag !== undefined || digest !== undefined || name !== undefined) {
    const bare = 'reference' in destination ? familiarName(destination.reference) : 'the path'
    throw placeInvalid(typed, `with all tags, give ${bare} alone`)
  }
}

function isThere(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false }) !== undefined
}
