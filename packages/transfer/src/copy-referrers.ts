import {
  type Descriptor,
  type Index,
  KatmanError,
  type Manifest,
  maxDescriptors,
} from '@katman/oci'
import { limit } from './limit.ts'
import { type CallOptions, isReferrerSource, type Source } from './place.ts'

/** A signature of an SBOM of an image is the second step; chains that go on longer than this are refused. */
const maxChain = 8
const concurrentLists = 4

/** One manifest or index that was copied because it refers to another. */
export interface CopiedReferrer {
  readonly descriptor: Descriptor
  readonly subject: Descriptor
}

interface CopyReferrersOptions extends CallOptions {
  /** Only these of what refers to the roots; what refers to those comes along, whatever it is. */
  readonly artifactType?: string
  /**
   * Copies one with all it leads to, when `check` has not refused the document. Resolves with undefined when it was
   * copied before.
   */
  readonly copy: (
    referrer: CopiedReferrer,
    check: (document: Manifest | Index) => void,
  ) => Promise<unknown>
}

/**
 * Copies what refers to the roots, what refers to that, and so on: each after its subject. Throws
 * `REFERRERS_UNSUPPORTED` for a source that does not know, `MANIFEST_INVALID` for a list with what does not refer to the
 * subject, `GRAPH_LIMIT`.
 */
export async function copyReferrers(
  source: Source,
  roots: readonly Descriptor[],
  { artifactType, copy, signal }: CopyReferrersOptions,
): Promise<readonly CopiedReferrer[]> {
  if (!isReferrerSource(source)) throw unsupported(source)
  const copied: CopiedReferrer[] = []
  let subjects = roots
  const slot = limit(concurrentLists)
  for (let step = 0; subjects.length > 0; step++) {
    const next: Descriptor[] = []
    const wanted = step === 0 ? artifactType : undefined
    const lists = await Promise.all(
      subjects.map((subject) =>
        slot(() => source.referrers(subject, { artifactType: wanted, signal })),
      ),
    )
    for (const [position, subject] of subjects.entries()) {
      for (const descriptor of lists[position] ?? []) {
        if (step === maxChain) throw chainLimit(subject)
        const document = await copy({ descriptor, subject }, (one) => {
          if (one.subject?.digest !== subject.digest) throw noReferrer(descriptor, subject)
        })
        if (document === undefined) continue
        copied.push({ descriptor, subject })
        if (copied.length > maxDescriptors) throw chainLimit(subject)
        next.push(descriptor)
      }
    }
    subjects = next
  }
  return copied
}

function unsupported(source: Source): KatmanError {
  return new KatmanError(
    'REFERRERS_UNSUPPORTED',
    `${source.name} does not know what refers to its images`,
    {
      hint: 'copy from a registry, the store or an OCI layout',
      details: { place: source.name },
    },
  )
}

function noReferrer({ digest }: Descriptor, subject: Descriptor): KatmanError {
  return new KatmanError(
    'MANIFEST_INVALID',
    `${digest} is listed as a referrer of ${subject.digest}, but does not refer to it`,
    { details: { digest, subject: subject.digest } },
  )
}

function chainLimit({ digest }: Descriptor): KatmanError {
  const reason = `more than ${maxChain} steps or ${maxDescriptors} referrers lead to it`
  return new KatmanError('GRAPH_LIMIT', `cannot copy ${digest}: ${reason}`, {
    details: { digest, reason },
  })
}
