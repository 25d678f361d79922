import {
  type Digest,
  isDigest,
  type JsonObject,
  type JsonValue,
  KatmanError,
  parseJson,
} from '@katman/oci'
import { asObject, textsOf } from './json-object.ts'

/** What a simple signing payload says (containers-signature(5)). */
export interface SignedClaim {
  /** The manifest or index that was signed. */
  readonly digest: Digest
  /** The name it was signed under: `registry.example/team/app` or with a tag. */
  readonly identity: string
  readonly annotations: Readonly<Record<string, string>>
}

/** The media type of a payload in a registry. */
export const simpleSigningType = 'application/vnd.dev.cosign.simplesigning.v1+json'

const payloadType = 'cosign container image signature'

/** The payload for a claim. The same claim gives the same bytes. */
export function formatClaim({ digest, identity, annotations }: SignedClaim): Uint8Array {
  const optional = Object.keys(annotations).length === 0 ? null : annotations
  const payload = {
    critical: {
      identity: { 'docker-reference': identity },
      image: { 'docker-manifest-digest': digest },
      type: payloadType,
    },
    optional,
  }
  return Buffer.from(JSON.stringify(payload))
}

/**
 * Reads a payload strictly: inside `critical` exactly the known fields, as containers/image wants it. Throws
 * `SIGNATURE_INVALID`, `JSON_INVALID`.
 */
export function parseClaim(bytes: Uint8Array): SignedClaim {
  const root = objectOf(parseJson(bytes, 'signature payload'), 'the payload', [
    'critical',
    'optional',
  ])
  const critical = objectOf(root['critical'], 'critical', ['identity', 'image', 'type'])
  const identity = objectOf(critical['identity'], 'identity', ['docker-reference'])
  const image = objectOf(critical['image'], 'image', ['docker-manifest-digest'])
  if (critical['type'] !== payloadType) throw invalid('its type is unknown')
  const digest = image['docker-manifest-digest']
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid('it names no digest')
  const name = identity['docker-reference']
  if (typeof name !== 'string') throw invalid('it names no image')
  return { digest, identity: name, annotations: textsOf(root['optional']) }
}

function objectOf(
  value: JsonValue | undefined,
  what: string,
  known: readonly string[],
): JsonObject {
  const object = asObject(value)
  if (object === undefined) throw invalid(`${what} is not an object`)
  const unknown = Object.keys(object).find((key) => !known.includes(key))
  if (unknown !== undefined) throw invalid(`${what} has an unknown field`)
  return object
}

function invalid(reason: string): KatmanError {
  return new KatmanError('SIGNATURE_INVALID', `a signature payload does not read: ${reason}`, {
    details: { reason },
  })
}
