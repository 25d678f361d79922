import {
  type Descriptor,
  formatPlatform,
  isAttestation,
  matchExactPlatforms,
  type Platform,
} from '@katman/oci'
import { CommandFailure, plainFailure } from './failure.ts'
import { typedPlatform } from './host-platform.ts'

/** Reads `--platform`: platforms, also several with commas. */
export function parsePlatforms(texts: readonly string[]): readonly Platform[] {
  return texts.flatMap((text) => text.split(',')).map(parsePlatformText)
}

/** Reads one platform. Fails with buildx's words. */
export function parsePlatformText(text: string): Platform {
  try {
    return typedPlatform(text)
  } catch (error) {
    const { message } = plainFailure(error)
    throw new CommandFailure(`invalid platform ${JSON.stringify(text)}: ${message}`, {
      cause: error,
    })
  }
}

/**
 * The entries for the platforms, in their order: the exact ones, those that say no platform, and the attestations of
 * what is chosen. Fails when there is none.
 */
export function chooseEntries(
  entries: readonly Descriptor[],
  platforms: readonly Platform[],
): readonly Descriptor[] {
  if (platforms.length === 0) return entries
  const chosen = new Set(
    entries.filter((entry) => entry.platform === undefined || isOneOf(entry.platform, platforms)),
  )
  const digests = new Set([...chosen].map(({ digest }): string => digest))
  const isOfChosen = (entry: Descriptor): boolean =>
    isAttestation(entry) && digests.has(entry.annotations?.['vnd.docker.reference.digest'] ?? '')
  const found = entries.filter((entry) => chosen.has(entry) || isOfChosen(entry))
  if (found.length === 0) {
    throw new CommandFailure('none of the manifests match the provided platforms')
  }
  return found
}

/** Fails unless an image that is taken as it is has one of the platforms. */
export function checkPlatform(
  platform: Platform | undefined,
  platforms: readonly Platform[],
): void {
  if (platforms.length === 0) return
  if (platform === undefined) {
    throw new CommandFailure('cannot filter platforms from a manifest without platform information')
  }
  if (isOneOf(platform, platforms)) return
  throw new CommandFailure(
    `input platform ${formatPlatform(platform)} does not match any of the provided platforms`,
  )
}

function isOneOf(platform: Platform, platforms: readonly Platform[]): boolean {
  return platforms.some(
    (wanted) => matchExactPlatforms(wanted, [platform], (one) => one).length > 0,
  )
}
