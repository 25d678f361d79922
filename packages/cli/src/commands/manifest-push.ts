import { canonicalName, formatReference, type Reference } from '@katman/oci'
import type { Remote } from '@katman/remote'
import { copyContent, openMemoryPlace } from '@katman/transfer'
import { admit } from '../admit.ts'
import type { Context } from '../context.ts'
import { CommandFailure, plainFailure } from '../failure.ts'
import { documentJson } from '../manifest-json.ts'
import { listDocument, type ListEntry, openManifestLists } from '../manifest-lists.ts'
import { goJson } from '../terminal/go-json.ts'
import { parseName } from './manifest-create.ts'

export interface ManifestPushFlags {
  readonly insecure: boolean
  readonly purge: boolean
}

/** `manifest push LIST` */
export async function run(
  context: Context,
  flags: ManifestPushFlags,
  [list = '']: readonly string[],
): Promise<void> {
  const target = parseName(list)
  const lists = openManifestLists(context.env)
  const entries = await lists.read(target)
  if (entries === undefined) throw new CommandFailure(`No such manifest: ${list}`)
  await using remote = await context.openRemote({
    insecure: flags.insecure ? [target.registry] : [],
  })
  try {
    await pushList(context, remote, target, entries)
  } catch (error) {
    throw plainFailure(error)
  }
  if (flags.purge) await lists.remove(target)
}

async function pushList(
  context: Context,
  remote: Remote,
  target: Reference,
  entries: readonly ListEntry[],
): Promise<void> {
  const call = { signal: context.signal }
  const mountSources = (): readonly string[] =>
    entries
      .filter(({ reference }) => reference.registry === target.registry)
      .map(({ reference }) => reference.repository)
  const repository = remote.repository(target, { mountSources })
  // The list may be older than the policy, and docker may have made it.
  for (const { reference, descriptor } of entries) {
    const { mediaType, digest, size } = descriptor
    const root = { mediaType, digest, size }
    await admit(context, {
      source: remote.repository(reference),
      root,
      from: { registry: reference },
    })
  }
  for (const { reference, descriptor } of entries) {
    const { platform, mediaType, digest, size } = descriptor
    if (platform === undefined || platform.os === '' || platform.architecture === '') {
      throw new CommandFailure(
        `manifest ${formatReference(reference)} must have an OS and Architecture to be pushed to a registry`,
      )
    }
    // What the repository has already need not be pushed to it.
    if (canonicalName(reference) === canonicalName(target)) continue
    const source = remote.repository(reference)
    await copyContent(
      source,
      repository,
      { mediaType, digest, size },
      { ...call, readFrom: 'source' },
    )
    const pushed = `${canonicalName(target)}@${digest}`
    context.stdout.write(`Pushed ref ${pushed} with digest: ${digest}\n`)
  }
  const document = listDocument(entries)
  const place = openMemoryPlace('manifest list')
  const bytes = Buffer.from(goJson(documentJson(document), '   '))
  const root = place.add(document.mediaType, bytes)
  await repository.write(root, (start) => place.open(root, { start }), call)
  await repository.tag(target.tag ?? '', root, call)
  context.stdout.write(`${root.digest}\n`)
}
