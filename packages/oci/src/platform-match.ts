import { isUnknownPlatform, normalisePlatform, type Platform } from './platform.ts'
import { runsWindowsVersion, windowsVersionParts } from './windows-version.ts'

/**
 * The candidates that can run on `wanted`, best first, as containerd chooses: the exact variant, then lower ones (arm v8
 * to v5, amd64 v4 to v1 and 386 last, arm64 v9.2 to v9, v8.7 to v8, then 32-bit arm); Windows entries whose version fits
 * the one wanted, if any, newest first; those with OS features only when all are wanted, most features first.
 * Entries of equal rank keep their order. Unknown platforms never match.
 */
export function matchPlatforms<T>(
  wanted: Platform,
  candidates: readonly T[],
  platformOf: (candidate: T) => Platform | undefined,
): T[] {
  return choose(platformVector(normalisePlatform(wanted)), candidates, platformOf)
}

/** The candidates that are `wanted` itself, not something lower that runs there, too. The same order. */
export function matchExactPlatforms<T>(
  wanted: Platform,
  candidates: readonly T[],
  platformOf: (candidate: T) => Platform | undefined,
): T[] {
  return choose([normalisePlatform(wanted)], candidates, platformOf)
}

/** True when an image of `have` runs on `wanted`. */
export function platformMatches(wanted: Platform, have: Platform): boolean {
  return matchPlatforms(wanted, [have], (platform) => platform).length > 0
}

function choose<T>(
  vector: readonly Platform[],
  candidates: readonly T[],
  platformOf: (candidate: T) => Platform | undefined,
): T[] {
  const ranked: { readonly candidate: T; readonly rank: number; readonly have: Platform }[] = []
  for (const candidate of candidates) {
    const platform = platformOf(candidate)
    if (platform === undefined || isUnknownPlatform(platform)) continue
    const have = normalisePlatform(platform)
    const rank = vector.findIndex((one) => matchesOne(one, have))
    if (rank >= 0) ranked.push({ candidate, rank, have })
  }
  // Without a version there is no host to be near to: the order of the index counts, as in containerd on Linux.
  const isVersioned =
    vector[0]?.os === 'windows' && windowsVersionParts(vector[0].osVersion).length > 2
  return ranked
    .toSorted(
      (a, b) =>
        a.rank - b.rank ||
        (isVersioned ? compareVersions(b.have.osVersion, a.have.osVersion) : 0) ||
        (b.have.osFeatures?.length ?? 0) - (a.have.osFeatures?.length ?? 0),
    )
    .map((entry) => entry.candidate)
}

/** What runs on a normalised platform, best first: itself and everything lower. */
function platformVector(wanted: Platform): readonly Platform[] {
  const as = (architecture: string, variant?: string): Platform => {
    const { variant: _, ...rest } = wanted
    return normalisePlatform({ ...rest, architecture, ...(variant ? { variant } : {}) })
  }
  switch (wanted.architecture) {
    case 'amd64':
      return [wanted, ...below(wanted.variant, 1).map((form) => as('amd64', form)), as('386')]
    case 'arm':
      return [wanted, ...below(wanted.variant, 5).map((form) => as('arm', form))]
    case 'arm64':
      return [
        ...arm64Variants(wanted.variant ?? 'v8').map((form) => as('arm64', form)),
        ...(arm64Variants(wanted.variant ?? 'v8').length === 0 ? [] : ['v8', 'v7', 'v6', 'v5']).map(
          (form) => as('arm', form),
        ),
      ]
    default:
      return [wanted]
  }
}

/** `v4` and lowest 1: `v3`, `v2`, `v1`. Nothing for what is no such version. */
function below(variant: string | undefined, lowest: number): readonly string[] {
  const version = /^v?(\d{1,2})$/.exec(variant ?? '')?.[1]
  const forms: string[] = []
  for (let form = Number(version ?? 0) - 1; form >= lowest; form--) forms.push(`v${form}`)
  return forms
}

/** arm64 versions that run on one, best first: v9.x has everything of v8.(x+5). Nothing for unknown ones. */
function arm64Variants(variant: string): readonly string[] {
  const match = /^v([89])(?:\.(\d))?$/.exec(variant)
  if (match === null) return []
  const minor = Number(match[2] ?? 0)
  const steps = (major: number, from: number): readonly string[] =>
    Array.from({ length: from + 1 }, (_, step) => from - step).map((one) =>
      one === 0 ? `v${major}` : `v${major}.${one}`,
    )
  if (match[1] === '8') return steps(8, minor)
  return minor > 7 ? [] : [...steps(9, minor), ...steps(8, Math.min(9, minor + 5))]
}

/** True when an image of `have` fits `want` exactly; both normalised. */
function matchesOne(want: Platform, have: Platform): boolean {
  if (want.os !== have.os || want.architecture !== have.architecture) return false
  if ((want.variant ?? '') !== (have.variant ?? '')) return false
  const isWindows = want.os === 'windows'
  if (isWindows && !runsWindowsVersion(want.osVersion, have.osVersion)) return false
  // win32k says which Windows files an image has; it has never decided anything.
  const features = (have.osFeatures ?? []).filter((name) => !isWindows || name !== 'win32k')
  return features.every((name) => want.osFeatures?.includes(name) === true)
}

function compareVersions(left: string | undefined, right: string | undefined): number {
  const [a, b] = [windowsVersionParts(left), windowsVersionParts(right)]
  for (let at = 0; at < 4; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
