import {
  defaultTag,
  formatReference,
  parseManifest,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import type { Remote } from '@katman/remote'
import { admit } from '../admit.ts'
import { readConfigPlatform } from '../config-platform.ts'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { manifestFailure } from '../manifest-failure.ts'
import { type ListEntry, openManifestLists } from '../manifest-lists.ts'

export interface ManifestCreateFlags {
  readonly amend: boolean
  readonly insecure: boolean
}

/** `manifest create LIST MANIFEST...` */
export async function run(
  context: Context,
  flags: ManifestCreateFlags,
  [list = '', ...manifests]: readonly string[],
): Promise<void> {
  const target = parseList(list)
  const lists = openManifestLists(context.env)
  if ((await lists.read(target)) !== undefined && !flags.amend) {
    throw new CommandFailure('refusing to amend an existing manifest list with no --amend flag')
  }
  const references = manifests.map(parseName)
  const insecure = flags.insecure ? references.map(({ registry }) => registry) : []
  await using remote = await context.openRemote({ insecure })
  const entries: ListEntry[] = []
  for (const reference of references) entries.push(await fetchEntry(context, remote, reference))
  for (const entry of entries) await lists.save(target, entry)
  context.stdout.write(`Created manifest list ${formatReference(target)}\n`)
}

function parseList(text: string): Reference {
  try {
    return parseName(text)
  } catch (error) {
    const { message } = plainFailure(error)
    throw new CommandFailure(`error parsing name for manifest list ${text}: ${message}`, {
      cause: error,
    })
  }
}

export function parseName(text: string): Reference {
  try {
    return withDefaultTag(parseReference(text))
  } catch (error) {
    throw plainFailure(error)
  }
}

async function fetchEntry(
  context: Context,
  remote: Remote,
  reference: Reference,
): Promise<ListEntry> {
  const call = { signal: context.signal }
  const repository = remote.repository(reference)
  try {
    const wanted = reference.digest ?? reference.tag ?? defaultTag
    const { descriptor, bytes } = await repository.fetchManifest(wanted, call)
    const document = parseManifest(bytes, descriptor.mediaType)
    if (document.kind === 'index') {
      throw new CommandFailure(`${formatReference(reference)} is a manifest list`)
    }
    await admit(context, { source: repository, root: descriptor, from: { registry: reference } })
    const platform = await readConfigPlatform(repository, document, call)
    const { mediaType, digest, size } = descriptor
    return {
      reference,
      descriptor: {
        mediaType,
        digest,
        size,
        platform: platform ?? { os: '', architecture: '' },
      },
      bytes,
    }
  } catch (error) {
    throw error instanceof CommandFailure ? error : manifestFailure(error, reference)
  }
}
