import { type Digest, isDigest } from '@katman/oci'
import type { RegistryResponse } from '../http.ts'
import { claimManifests, findManifest, removeManifest } from '../metadata/manifests.ts'
import { findRepository } from '../metadata/repositories.ts'
import { deleteTag, tagsOf } from '../metadata/tags.ts'
import { type Asked, changeRepository, type DistributionContext, type Writing } from './context.ts'
import { type ManifestRoute, unknownManifest } from './manifests.ts'

/** Answers `DELETE` of a tag, or of a manifest with all its tags. */
export async function deleteManifest(
  context: DistributionContext,
  { repository, reference }: ManifestRoute,
  asked: Asked,
): Promise<RegistryResponse> {
  // What is not there is not made by deleting it.
  const isKnown = (await findRepository(context.database, repository)) !== undefined
  const wasThere =
    isKnown &&
    (await changeRepository(context, repository, asked, (writing) =>
      isDigest(reference) ? removeWithTags(writing, reference) : removeTag(writing, reference),
    ))
  if (!wasThere) throw unknownManifest(reference)
  return { status: 202 }
}

async function removeTag(
  { transaction, repository, tell }: Writing,
  tag: string,
): Promise<boolean> {
  const digest = await deleteTag(transaction, repository.id, tag)
  if (digest !== undefined) await tell({ kind: 'tag-deleted', tag, digest })
  return digest !== undefined
}

async function removeWithTags(writing: Writing, digest: Digest): Promise<boolean> {
  const { transaction, repository, tell } = writing
  // No tag is added from here on.
  await claimManifests(transaction, repository.id, [digest], { alone: true })
  for (const tag of await tagsOf(transaction, repository.id, digest)) await removeTag(writing, tag)
  const stored = await findManifest(transaction, repository.name, digest)
  const removed = await removeManifest(transaction, repository.id, digest)
  if (stored === undefined || removed === undefined) return false
  const { mediaType, size } = removed
  await tell({ kind: 'manifest-deleted', digest, mediaType, size, bytes: stored.bytes })
  return true
}
