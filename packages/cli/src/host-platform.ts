import { parsePlatform, type Platform } from '@katman/oci'
import type { Environment } from './context.ts'

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64',
  mips64el: 'mips64le',
}

/** The platform of this machine's containers: Linux on its processor. */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: architectures[process.arch] ?? process.arch }
}

/** `--platform`, else `DOCKER_DEFAULT_PLATFORM`, else this machine. Throws `PLATFORM_INVALID`. */
export function chosenPlatform(flag: string | undefined, env: Environment): Platform {
  const text = flag || env['DOCKER_DEFAULT_PLATFORM']
  return text ? typedPlatform(text) : hostPlatform()
}

/** A platform as typed; a lone operating system gets this machine's architecture. Throws `PLATFORM_INVALID`. */
export function typedPlatform(text: string): Platform {
  return parsePlatform(text, { defaultArchitecture: hostPlatform().architecture })
}
