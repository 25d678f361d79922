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
const osPart = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)\))?$/

/**
 * Parses `os[(version)]`, `arch`, `os/arch` or `os/arch/variant` as containerd does: aliases are brought to one spelling,
 * what is not written is left out (`arm` stays without variant), `arm64/8` is `arm64/v8`. A lone word is an operating
 * system when it names one, else an architecture of `linux`; `defaultArchitecture` (default `amd64`) belongs to a lone
 * operating system. Throws `PLATFORM_INVALID` with containerd's text.
 */
export function parsePlatform(
  text: string,
  options: { readonly defaultArchitecture?: string } = {},
): Platform {
  if (text.length > 200) throw invalid(text, 'cannot parse platform specifier')
  if (text.includes('*')) throw invalid(text, 'wildcards not yet supported')
  const parts = splitOnce(text)
  const [head = '', second, third] = parts
  const osMatch = osPart.exec(head)
  if (osMatch === null) {
    throw invalidPart(text, head, 'OS component', 'OSAndVersion specifier', osPart)
  }
  const wrong = parts.slice(1).find((word) => !part.test(word))
  if (wrong !== undefined) throw invalidPart(text, wrong, 'component', 'platform specifier', part)
  if (parts.length > 3) throw invalid(text, 'cannot parse platform specifier')
  const os = normaliseOs(osMatch[1] ?? '')
  const system = { os, ...(osMatch[2] ? { osVersion: osMatch[2] } : {}) }
  if (second === undefined) {
    if (knownOs.has(os)) return { ...system, architecture: options.defaultArchitecture ?? 'amd64' }
    const found = written(head)
    if (!knownArchitectures.has(found.architecture)) {
      throw invalid(text, 'unknown operating system or architecture')
    }
    return { os: 'linux', ...found }
  }
  return { ...system, ...written(second, third) }
}

/** Splits at `/` into at most four parts; the last one keeps what is left. */
function splitOnce(text: string): readonly string[] {
  const parts = text.split('/')
  return parts.length <= 4 ? parts : [...parts.slice(0, 3), parts.slice(3).join('/')]
}

/** The architecture as it was written: with `v8` of arm64 only when it was, without arm's default `v7`. */
function written(
  architecture: string,
  variant?: string,
): { readonly architecture: string; readonly variant?: string } {
  const found = normaliseArchitecture(architecture, variant)
  if (variant === undefined) {
    return found.architecture === 'arm' && found.variant === 'v7'
      ? { architecture: found.architecture }
      : found
  }
  return found.architecture === 'arm64' && found.variant === undefined
    ? { ...found, variant: 'v8' }
    : found
}

function invalidPart(
  text: string,
  word: string,
  what: string,
  subject: string,
  pattern: RegExp,
): KatmanError {
  const shown = JSON.stringify(pattern.source)
  return invalid(
    text,
    `${subject} component must match ${shown}`,
    `${JSON.stringify(word)} is an invalid ${what} of ${JSON.stringify(text)}`,
  )
}

function invalid(text: string, why: string, what = JSON.stringify(text)): KatmanError {
  return new KatmanError('PLATFORM_INVALID', `${what}: ${why}: invalid argument`, {
    hint: 'write os/arch or os/arch/variant, such as linux/arm64 or linux/arm/v7',
    details: { platform: text.slice(0, 200) },
  })
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
    ...(platform.osFeatures?.length ? { osFeatures: platform.osFeatures.toSorted() } : {}),
  }
}

/** The platform of attestation manifests and other entries no machine can run. */
export function isUnknownPlatform(platform: Platform): boolean {
  return platform.os === 'unknown' || platform.architecture === 'unknown'
}

const knownOs = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
)
const knownArchitectures = new Set(
  '386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
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
      if (form === '8' || form === 'v8' || form === 'v8.0') form = ''
      else if (form === '9' || form === '9.0' || form === 'v9.0') form = 'v9'
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
