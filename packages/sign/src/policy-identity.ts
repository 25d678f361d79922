import {
  canonicalName,
  formatReference,
  isReference,
  parseReference,
  type Reference,
} from '@katman/oci'

/** Which names in a signature fit an image (containers-policy.json(5), `signedIdentity`). */
export type IdentityRule =
  | { readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { readonly type: 'exactReference'; readonly reference: Reference }
  | { readonly type: 'exactRepository'; readonly reference: Reference }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string }

/**
 * True when a signature for the name `signed` speaks of the image. `image` has its tag or digest, or is undefined when
 * the place has no names: then only the rules with a name of their own can fit.
 */
export function identityFits(
  rule: IdentityRule,
  image: Reference | undefined,
  signed: string,
): boolean {
  if (!isReference(signed)) return false
  const claim = parseReference(signed)
  switch (rule.type) {
    case 'exactReference':
      return !isNameOnly(claim) && same(rule.reference, claim)
    case 'exactRepository':
      return canonicalName(rule.reference) === canonicalName(claim)
    case 'matchRepository':
      return image !== undefined && canonicalName(image) === canonicalName(claim)
    case 'matchExact':
      return image !== undefined && !isNameOnly(image) && same(image, claim)
    case 'matchRepoDigestOrExact':
      return image !== undefined && repoDigestOrExact(image, claim)
    case 'remapIdentity':
      return image !== undefined && repoDigestOrExact(remapped(image, rule), claim)
  }
}

function repoDigestOrExact(image: Reference, claim: Reference): boolean {
  if (isNameOnly(claim)) return false
  if (image.tag !== undefined) return same(image, claim)
  return image.digest !== undefined && canonicalName(image) === canonicalName(claim)
}

/** The image as if it lay where it was signed. */
function remapped(
  image: Reference,
  { prefix, signedPrefix }: { readonly prefix: string; readonly signedPrefix: string },
): Reference {
  const name = canonicalName(image)
  if (name !== prefix && !name.startsWith(`${prefix}/`)) return image
  const other = signedPrefix + name.slice(prefix.length)
  // A name that is none fits nothing.
  if (!isReference(other)) return { registry: '', repository: '' }
  const { registry, repository } = parseReference(other)
  return { ...image, registry, repository }
}

function isNameOnly({ tag, digest }: Reference): boolean {
  return tag === undefined && digest === undefined
}

function same(left: Reference, right: Reference): boolean {
  return formatReference(left) === formatReference(right)
}
