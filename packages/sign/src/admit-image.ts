import { type Descriptor, isIndexType, isKatmanError, KatmanError } from '@katman/oci'
import type { CallOptions, Source } from '@katman/transfer'
import type { Policy, Requirement, SigstoreRequirement } from './policy.ts'
import { identityFits } from './policy-identity.ts'
import { type PolicySubject, requirementsFor } from './policy-scopes.ts'
import { trustOf } from './policy-trust.ts'
import { verifyImage } from './verify-image.ts'

/** What is to be admitted, and where its signatures are. */
export interface Candidate {
  readonly source: Source
  readonly subject: PolicySubject
  /** What its name resolved to. Only this may be taken afterwards, by its digest. */
  readonly root: Descriptor
  /**
   * The entries of an index that will be taken, when these alone will be. They may be signed instead of the index, as
   * containers/image wants it; a signature of the index speaks for its entries.
   */
  readonly chosen?: () => Promise<readonly Descriptor[]>
}

/**
 * Asks the policy whether an image may be taken: every requirement of the most specific scope must hold. Ask before
 * anything of it is written. Throws `POLICY_REJECTED` with the reason, and what reading the signatures throws.
 */
export async function admitImage(
  policy: Policy,
  candidate: Candidate,
  call: CallOptions = {},
): Promise<void> {
  for (const requirement of requirementsFor(policy, candidate.subject)) {
    const reason = await whyRefused(requirement, candidate, call)
    if (reason !== undefined) throw rejected(policy, candidate, reason)
  }
}

async function whyRefused(
  requirement: Requirement,
  candidate: Candidate,
  call: CallOptions,
): Promise<string | undefined> {
  switch (requirement.type) {
    case 'insecureAcceptAnything':
      return undefined
    case 'reject':
      return 'the policy rejects it'
    case 'signedBy':
      return 'the policy wants a signature of GPG (signedBy), which is not checked here'
    case 'sigstoreSigned':
      return whyNotSigned(requirement, candidate, call)
  }
}

async function whyNotSigned(
  requirement: SigstoreRequirement,
  { source, subject, root, chosen }: Candidate,
  call: CallOptions,
): Promise<string | undefined> {
  const { identity, unsupported } = requirement
  if (unsupported !== undefined) return `the policy uses ${unsupported}, which is not checked here`
  const trust = await trustOf(requirement)
  const acceptIdentity = (name: string): boolean => identityFits(identity, subject.reference, name)
  const whyNot = async (image: Descriptor): Promise<string | undefined> => {
    try {
      await verifyImage(source, image, { ...call, ...trust, acceptIdentity, isOneEnough: true })
      return undefined
    } catch (error) {
      if (isKatmanError(error, 'SIGNATURE_UNKNOWN')) {
        return 'a signature was required, but no signature exists'
      }
      if (isKatmanError(error, 'SIGNATURE_INVALID'))
        return `no signature holds: ${reasonsOf(error)}`
      throw error
    }
  }
  const reason = await whyNot(root)
  if (reason === undefined || chosen === undefined || !isIndexType(root.mediaType)) return reason
  const entries = await chosen()
  for (const entry of entries) {
    const other = await whyNot(entry)
    if (other !== undefined) return `${reason}; nor of ${entry.digest}: ${other}`
  }
  return entries.length === 0 ? reason : undefined
}

function reasonsOf({ details }: KatmanError): string {
  const { reasons } = details
  return Array.isArray(reasons) ? [...new Set(reasons.map(String))].join('; ') : ''
}

function rejected({ file }: Policy, { subject, root }: Candidate, reason: string): KatmanError {
  return new KatmanError(
    'POLICY_REJECTED',
    `Source image rejected: ${subject.shown} (${root.digest}): ${reason}`,
    {
      hint: `ask who wrote the policy ${file}`,
      details: { file, image: subject.shown, digest: root.digest, reason },
    },
  )
}
