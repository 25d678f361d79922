import { type Digest, digestAlgorithm, digestHex, parseJson } from '@katman/oci'
import { bundleInvalid, type Envelope } from './dsse.ts'
import { asObject, textsOf } from './json-object.ts'

/** What a signed in-toto statement says about one image. */
export interface Statement {
  /** The name it was signed under. cosign writes none. */
  readonly identity?: string
  readonly annotations: Readonly<Record<string, string>>
}

const inTotoType = 'application/vnd.in-toto+json'
const statementTypes = new Set([
  'https://in-toto.io/Statement/v1',
  'https://in-toto.io/Statement/v0.1',
])
/** A statement that only says: I sign this image. */
export const signPredicate = 'https://sigstore.dev/cosign/sign/v1'

/** The message that signs an image, as cosign 3 writes it; the name is said as the subject's. */
export function formatStatement(
  digest: Digest,
  { identity, annotations }: Statement,
): Pick<Envelope, 'payload' | 'payloadType'> {
  const subject = {
    ...(identity === undefined ? {} : { name: identity }),
    digest: { [digestAlgorithm(digest)]: digestHex(digest) },
    annotations,
  }
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [subject],
    predicateType: signPredicate,
    predicate: {},
  }
  return { payloadType: inTotoType, payload: Buffer.from(JSON.stringify(statement)) }
}

/**
 * Reads what a message says about an image. Undefined when it is about others only; a text when it is an attestation
 * of something else, which signs no image: the type of it. Throws `BUNDLE_INVALID`, `JSON_INVALID`.
 */
export function parseStatement(
  { payload, payloadType }: Pick<Envelope, 'payload' | 'payloadType'>,
  digest: Digest,
): Statement | string | undefined {
  if (payloadType !== inTotoType) throw bundleInvalid('its message is no in-toto statement')
  const root = asObject(parseJson(payload, 'signed statement'))
  const [type, predicate, subjects] = [root?.['_type'], root?.['predicateType'], root?.['subject']]
  if (typeof type !== 'string' || !statementTypes.has(type) || !Array.isArray(subjects)) {
    throw bundleInvalid('its message is no in-toto statement')
  }
  if (typeof predicate !== 'string') throw bundleInvalid('its statement has no type')
  if (predicate !== signPredicate) return predicate
  for (const one of subjects) {
    const subject = asObject(one)
    const hashes = asObject(subject?.['digest'])
    if (hashes?.[digestAlgorithm(digest)] !== digestHex(digest)) continue
    const name = subject?.['name']
    const annotations = textsOf(subject?.['annotations'])
    return { annotations, ...(typeof name === 'string' && name !== '' ? { identity: name } : {}) }
  }
  return undefined
}
