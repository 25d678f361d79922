import { type Descriptor, type Digest, KatmanError, referrersTag } from '@katman/oci'
import { type CallOptions, encodeReferrersIndex, type ReferrerFact } from '@katman/transfer'
import type { HostChoiceOptions } from './host-choice.ts'
import { fetchReferrersIndex } from './referrers.ts'

/** A tag cannot be changed only if it still is what was read: after a lost change it is tried again this often. */
const maxAttempts = 5

export interface ReferrersIndex {
  /** Adds what refers to a content to the index that is tagged for it. */
  add(fact: ReferrerFact, call: CallOptions): Promise<void>
}

/**
 * The lists of referrers a client keeps where the registry keeps none (distribution-spec, "Pushing Manifests with
 * Subject"). Two clients that add at the same moment can overwrite each other: each looks again after its change and
 * repeats what was lost, which leaves the moment between the last look and a change of the other that was based on an
 * older list. Within one client changes come one after another.
 */
export function createReferrersIndex(
  hosts: HostChoiceOptions,
  name: string,
  putIndex: (
    tag: string,
    descriptor: Descriptor,
    bytes: Uint8Array,
    call: CallOptions,
  ) => Promise<unknown>,
): ReferrersIndex {
  let last: Promise<unknown> = Promise.resolve()

  async function add({ subject, referrer }: ReferrerFact, call: CallOptions): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const listed = await fetchReferrersIndex(hosts, subject.digest, name, call)
      if (listed.some(({ digest }) => digest === referrer.digest)) return
      if (attempt === maxAttempts) throw lost(name, referrer.digest, subject.digest)
      const { descriptor, bytes } = encodeReferrersIndex([...listed, referrer])
      await putIndex(referrersTag(subject.digest), descriptor, bytes, call)
    }
  }

  return {
    async add(fact, call) {
      const change = last.then(() => add(fact, call))
      last = change.catch(() => {})
      await change
    },
  }
}

function lost(name: string, digest: Digest, subject: Digest): KatmanError {
  const tag = referrersTag(subject)
  return new KatmanError(
    'REFERRERS_CONFLICT',
    `${name}: ${digest} could not be listed under ${tag}: others change it at the same time`,
    { hint: 'try again when they have finished', details: { digest, subject, tag } },
  )
}
