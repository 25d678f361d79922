export { admitImage, type Candidate } from './admit-image.ts'
export {
  generateKeyPair,
  type KeyPair,
  publicKeyPem,
  readPrivateKey,
  readPublicKey,
} from './keys.ts'
export { signImage, type SignOptions } from './sign-image.ts'
export {
  type SignatureLayout,
  type VerifiedSignature,
  verifyImage,
  type VerifyOptions,
} from './verify-image.ts'
export { readPolicy } from './read-policy.ts'
export type { Policy, PolicyBytes, Requirement, SigstoreRequirement } from './policy.ts'
export type { IdentityRule } from './policy-identity.ts'
export { fileSubject, type PolicySubject, registrySubject } from './policy-scopes.ts'
export { type CertificateTrust, readTrustRoot, type TrustRoot } from './keyless.ts'
