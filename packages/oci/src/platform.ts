import { KatmanError } from './error.ts'

/** A platform as in an index entry or an image config (image-spec image-index.md). */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly osVersion?: string
  readonly osFeatures?: readonly string[]
}

const part = /^[A-Za-z0-9_.-]+$/

/**
 * Parses `os[(version)]`, `arch`, `os/arch` or `os/arch/variant` and normalises it as containerd does.
 * A lone word is an operating system when it names one, else an architecture of `linux`.
 * Throws `PLATFORM_INVALID`.
 */
export function parsePlatform(text: string): Platform {
  const invalid = (): KatmanError =>
    new KatmanError(
      'PLATFORM_INVALID',
      `${JSON.stringify(text)}: cannot parse platform specifier: invalid argument`,
      {
        hint: 'write os/arch or os/arch/variant, such as linux/arm64 or linux/arm/v7',
        details: { platform: text.slice(0, 200) },
      },
    )
  if (text.length > 200) throw invalid()
  const parts = text.split('/')
  const [head = '', second, third] = parts
  if (parts.length > 3) throw invalid()
  const osMatch = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)\))?$/.exec(head)
  if (osMatch === null) throw invalid()
  if (parts.slice(1).some((word) => !part.test(word))) throw invalid()
  const osName = normaliseOs(osMatch[1] ?? '')
  const osVersion = osMatch[2]
  if (second === undefined) {
    if (osVersion === undefined && !knownOs.has(osName)) {
      const architecture = normaliseArchitecture(head)
      if (!knownArchitectures.has(architecture.architecture)) throw invalid()
      return { os: 'linux', ...architecture }
    }
    throw invalid()
  }
  return {
    os: osName,
    ...normaliseArchitecture(second, third),
    ...(osVersion ? { osVersion } : {}),
  }
}

/** `os/arch[/variant]`, with `os(version)` when a version is known and `withVersion` is set. */
export function formatPlatform(
  platform: Platform,
  options: { readonly withVersion?: boolean } = {},
): string {
  const os =
    options.withVersion && platform.osVersion
      ? `${platform.os}(${platform.osVersion})`
      : platform.os
  const words = [os || 'unknown', platform.architecture || 'unknown']
  if (platform.variant) words.push(platform.variant)
  return words.join('/')
}

/** Brings aliases to one spelling: `x86_64` → `amd64`, `aarch64` → `arm64`, `armhf` → `arm/v7`, `arm64/v8` → `arm64`. */
export function normalisePlatform(platform: Platform): Platform {
  return {
    ...normaliseArchitecture(platform.architecture, platform.variant),
    os: normaliseOs(platform.os),
    ...(platform.osVersion ? { osVersion: platform.osVersion } : {}),
    ...(platform.osFeatures?.length ? { osFeatures: platform.osFeatures } : {}),
  }
}

/** The platform of attestation manifests and other entries no machine can run. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === 'unknown' || platform.architecture === 'unknown'
}

/**
 * The candidates that can run on `wanted`, best first: the exact variant, then lower ones
 * (arm v8 → v5, amd64 v4 → v1); on Windows the same build number, newest revision first.
 * Entries of equal rank keep their order. Unknown platforms never match.
 */
export function matchPlatforms<T>(
  wanted: Platform,
  candidates: readonly T[],
  platformOf: (candidate: T) => Platform | undefined,
): T[] {
  const want = normalisePlatform(wanted)
  const ranked: { readonly candidate: T; readonly rank: number; readonly revision: number }[] = []
  for (const candidate of candidates) {
    const platform = platformOf(candidate)
    if (platform === undefined || isUnknownPlatform(platform)) continue
    const have = normalisePlatform(platform)
    const rank = platformRank(want, have)
    if (rank === undefined) continue
    ranked.push({ candidate, rank, revision: windowsRevision(have) })
  }
  return ranked
    .toSorted((a, b) => a.rank - b.rank || b.revision - a.revision)
    .map((entry) => entry.candidate)
}

/** True when an image of `have` runs on `wanted`. */
export function platformMatches(wanted: Platform, have: Platform): boolean {
  return matchPlatforms(wanted, [have], (platform) => platform).length > 0
}

const knownOs = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos'.split(
    ' ',
  ),
)
const knownArchitectures = new Set(
  '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  ),
)

function normaliseOs(os: string): string {
  const lower = os.toLowerCase()
  return lower === 'macos' ? 'darwin' : lower
}

function normaliseArchitecture(
  architecture: string,
  variant = '',
): { architecture: string; variant?: string } {
  let arch = architecture.toLowerCase()
  let form = variant.toLowerCase()
  switch (arch) {
    case 'i386':
      arch = '386'
      form = ''
      break
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      arch = 'amd64'
      if (form === 'v1') form = ''
      break
    case 'aarch64':
    case 'arm64':
      arch = 'arm64'
      if (form === '8' || form === 'v8') form = ''
      break
    case 'armhf':
      arch = 'arm'
      form = 'v7'
      break
    case 'armel':
      arch = 'arm'
      form = 'v6'
      break
    case 'arm':
      if (form === '') form = 'v7'
      else if (/^[5-8]$/.test(form)) form = `v${form}`
      break
    default:
  }
  return form === '' ? { architecture: arch } : { architecture: arch, variant: form }
}

/** 0 is an exact match; larger is a lower variant that still runs; undefined does not run. */
function platformRank(want: Platform, have: Platform): number | undefined {
  if (want.os !== have.os) return undefined
  if (want.os === 'windows' && want.osVersion && have.osVersion) {
    if (windowsBuild(want.osVersion) !== windowsBuild(have.osVersion)) return undefined
  }
  const wantVariant = variantNumber(want)
  const haveVariant = variantNumber(have)
  if (want.architecture === have.architecture) {
    if ((want.variant ?? '') === (have.variant ?? '')) return 0
    if (wantVariant === undefined || haveVariant === undefined || haveVariant > wantVariant) {
      return undefined
    }
    return wantVariant - haveVariant
  }
  return undefined
}

function variantNumber(platform: Platform): number | undefined {
  const text = platform.variant ?? { arm64: 'v8', amd64: 'v1' }[platform.architecture] ?? ''
  const match = /^v(\d+)(?:\.(\d+))?$/.exec(text)
  return match === null ? undefined : Number(match[1]) * 100 + Number(match[2] ?? 0)
}

function windowsBuild(osVersion: string): string {
  return osVersion.split('.').slice(0, 3).join('.')
}

function windowsRevision(platform: Platform): number {
  return platform.os === 'windows' ? Number(platform.osVersion?.split('.')[3] ?? 0) || 0 : 0
}
