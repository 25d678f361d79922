import {
  defaultTag,
  familiarReference,
  formatReference,
  isDigest,
  isManifestType,
  parseManifest,
  parseReference,
  type Reference,
  withDefaultTag,
} from '@katman/oci'
import { readVerified } from '@katman/transfer'
import { readConfigPlatform } from '../config-platform.ts'
import type { Context } from '../context.ts'
import { plainFailure } from '../failure.ts'
import { manifestFailure } from '../manifest-failure.ts'
import { documentJson, rawJson, verboseEntry } from '../manifest-json.ts'
import { listDocument, manifestOf, openManifestLists } from '../manifest-lists.ts'
import { goJson } from '../terminal/go-json.ts'

export interface ManifestInspectFlags {
  readonly verbose: boolean
  readonly insecure: boolean
}

/** `manifest inspect [MANIFEST_LIST] MANIFEST`: straight from the registry. */
export async function run(
  context: Context,
  flags: ManifestInspectFlags,
  args: readonly string[],
): Promise<void> {
  const reference = wantedReference(args)
  if (args.length === 1 && (await printLocal(context, flags, reference))) return
  await using remote = await context.openRemote({
    insecure: flags.insecure ? [reference.registry] : [],
  })
  const repository = remote.repository(reference)
  const call = { signal: context.signal }
  const wanted = reference.digest ?? reference.tag ?? defaultTag
  const fetched = await repository.fetchManifest(wanted, call).catch((error: unknown) => {
    throw manifestFailure(error, reference)
  })
  const root = { ...fetched, document: parseManifest(fetched.bytes, fetched.descriptor.mediaType) }
  if (!flags.verbose) {
    const text =
      root.document.kind === 'index'
        ? goJson(documentJson(root.document), '   ')
        : goJson(rawJson(root.bytes), '\t', { escapesHtml: false })
    context.stdout.write(`${text}\n`)
    return
  }
  const name = familiarReference(reference)
  if (root.document.kind === 'manifest') {
    const platform = await readConfigPlatform(repository, root.document, call)
    const entry = verboseEntry(
      name,
      { ...root.descriptor, ...(platform && { platform }) },
      root.bytes,
      root.document,
    )
    context.stdout.write(`${goJson(entry, '\t')}\n`)
    return
  }
  const entries: unknown[] = []
  for (const child of root.document.manifests) {
    if (!isManifestType(child.mediaType)) continue
    const bytes = await readVerified(repository, child, call)
    const document = parseManifest(bytes, child.mediaType)
    if (document.kind !== 'manifest') continue
    entries.push(verboseEntry(`${name}@${child.digest}`, child, bytes, document))
  }
  context.stdout.write(`${goJson(entries, '\t')}\n`)
}

/** Prints a list that was made here and not pushed, if there is one. */
async function printLocal(
  context: Context,
  flags: ManifestInspectFlags,
  reference: Reference,
): Promise<boolean> {
  const entries = await openManifestLists(context.env).read(reference)
  if (entries === undefined) return false
  const text = flags.verbose
    ? goJson(
        entries.map((entry) =>
          verboseEntry(
            formatReference(entry.reference),
            entry.descriptor,
            entry.bytes,
            manifestOf(entry),
          ),
        ),
        '\t',
      )
    : goJson(documentJson(listDocument(entries)), '   ')
  context.stdout.write(`${text}\n`)
  return true
}

/** With two names, the first is the list and the second the entry wanted, by digest or by tag. */
function wantedReference(args: readonly string[]): Reference {
  try {
    const [first = '', second] = args
    if (second === undefined) return withDefaultTag(parseReference(first))
    const { registry, repository } = parseReference(first)
    if (isDigest(second)) return { registry, repository, digest: second }
    return withDefaultTag(parseReference(second))
  } catch (error) {
    throw plainFailure(error)
  }
}
