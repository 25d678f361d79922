export {
  generateKeyPair,
  type KeyPair,
  publicKeyPem,
  readPrivateKey,
  readPublicKeys,
} from './keys.ts'
export { signImage, type SignOptions } from './sign-image.ts'
export {
  type SignatureLayout,
  type VerifiedSignature,
  verifyImage,
  type VerifyOptions,
} from './verify-image.ts'
