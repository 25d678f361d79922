import { type Platform } from '@katman/oci'
import type { FlagSpec } from './terminal/flags.ts'
import { typedPlatform } from './host-platform.ts'

/** `--platform` of commands that take several, one by one or with commas between. */
export function platformsFlag(help: string) {
  return { name: 'platform', type: 'list', value: 'platform', help } as const satisfies FlagSpec
}

/** The platforms of a {@link platformsFlag}, as docker reads it. Throws `PLATFORM_INVALID`. */
export function parsePlatforms(values: readonly string[]): readonly Platform[] {
  return values
    .flatMap((value) => value.split(','))
    .filter((text) => text !== '')
    .map((text) => typedPlatform(text))
}
