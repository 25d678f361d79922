import { isImageManifest, type Manifest, parseImageConfig, type Platform } from '@katman/oci'
import { type CallOptions, readVerified, type Source } from '@katman/transfer'

/** The platform that the config of an image has; undefined for an artifact. */
export async function readConfigPlatform(
  source: Source,
  manifest: Manifest,
  call: CallOptions,
): Promise<Platform | undefined> {
  if (!isImageManifest(manifest)) return undefined
  return parseImageConfig(await readVerified(source, manifest.config, call)).platform
}
