import {
  canonicalName,
  type Descriptor,
  defaultTag,
  isIndexType,
  isManifestType,
  parseManifest,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { readPrivateKey, signImage, type SignOptions } from '@katman/sign'
import { readVerified, type Source } from '@katman/transfer'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { annotationsOf, keyPassword, readKeyText } from '../key-files.ts'

export interface SignFlags {
  readonly annotations: readonly string[]
  readonly identity: string | undefined
  readonly key: string | undefined
  readonly layout: string
  readonly recursive: boolean
}

const layouts = ['tag', 'bundle'] as const

/** `sign --key KEY NAME[:TAG|@DIGEST]` */
export async function run(
  context: Context,
  flags: SignFlags,
  [name = '']: readonly string[],
): Promise<void> {
  try {
    if (!flags.key) throw new CommandFailure('which key? Give --key FILE or --key env://VARIABLE')
    const reference = withDefaultTag(parseReference(name))
    const identity = identityOf(flags.identity ? parseReference(flags.identity) : reference)
    const key = await readPrivateKey(await readKeyText(context, flags.key), {
      what: flags.key,
      password: () => keyPassword(context),
    })
    await using remote = await context.openRemote()
    const repository = remote.repository(reference)
    const call = { signal: context.signal }
    const root = await repository.resolve(reference.digest ?? reference.tag ?? defaultTag, call)
    const images = flags.recursive ? await withEntries(repository, root, context) : [root]
    const options: SignOptions = {
      ...call,
      key,
      identity,
      annotations: annotationsOf(flags.annotations),
      layouts: layouts.filter((one) => flags.layout === 'both' || flags.layout === one),
      now: context.now,
    }
    for (const image of images) {
      const isNew = await signImage(repository, image, options)
      const what = isNew ? 'Signed' : 'Already signed'
      context.stdout.write(`${what} ${canonicalName(reference)}@${image.digest} for ${identity}\n`)
    }
  } catch (error) {
    throw plainFailure(error)
  }
}

/** A signature vouches for the repository, and for the tag when one was named. */
function identityOf(reference: Reference): string {
  return canonicalName(reference) + (reference.tag === undefined ? '' : `:${reference.tag}`)
}

/** An index with everything below it that is a manifest or an index, each once. */
async function withEntries(
  source: Source,
  root: Descriptor,
  context: Context,
): Promise<readonly Descriptor[]> {
  const found = new Map([[root.digest, root]])
  for (const one of found.values()) {
    if (!isIndexType(one.mediaType)) continue
    const bytes = await readVerified(source, one, { signal: context.signal })
    const index = parseManifest(bytes, one.mediaType)
    if (index.kind !== 'index') continue
    for (const entry of index.manifests) {
      if (isIndexType(entry.mediaType) || isManifestType(entry.mediaType)) {
        found.set(entry.digest, entry)
      }
    }
  }
  return [...found.values()]
}
