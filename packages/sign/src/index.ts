export {
  generateKeyPair,
  type KeyPair,
  publicKeyPem,
  readPrivateKey,
  readPublicKeys,
} from './keys.ts'
export { signImage, type SignOptions } from './sign-image.ts'
export type { SignedClaim } from './simple-signing.ts'
export {
  keyFingerprint,
  type VerifiedSignature,
  verifyImage,
  type VerifyOptions,
} from './verify-image.ts'
