import { formatReference, type Platform } from '@katman/oci'
import type { Context } from '../context.ts'
import { CommandFailure } from '../failure.ts'
import { openManifestLists } from '../manifest-lists.ts'
import { parseName } from './manifest-create.ts'

export interface ManifestAnnotateFlags {
  readonly arch: string | undefined
  readonly os: string | undefined
  readonly osFeatures: readonly string[]
  readonly osVersion: string | undefined
  readonly variant: string | undefined
}

/** `manifest annotate LIST MANIFEST`: what the list says of the manifest's platform. */
export async function run(
  context: Context,
  flags: ManifestAnnotateFlags,
  [list = '', manifest = '']: readonly string[],
): Promise<void> {
  const target = parseName(list)
  const wanted = formatReference(parseName(manifest))
  const lists = openManifestLists(context.env)
  const entries = await lists.read(target)
  const entry = entries?.find(({ reference }) => formatReference(reference) === wanted)
  if (entry === undefined) {
    throw new CommandFailure(`manifest for image ${manifest} does not exist in ${list}`)
  }
  const known = entry.descriptor.platform ?? { os: '', architecture: '' }
  const features = flags.osFeatures.flatMap((text) => text.split(','))
  const platform: Platform = {
    ...known,
    ...(flags.os ? { os: flags.os } : {}),
    ...(flags.arch ? { architecture: flags.arch } : {}),
    ...(flags.variant ? { variant: flags.variant } : {}),
    ...(flags.osVersion ? { osVersion: flags.osVersion } : {}),
    ...(features.length > 0
      ? { osFeatures: [...new Set([...(known.osFeatures ?? []), ...features])] }
      : {}),
  }
  if (!isKnown(platform)) {
    throw new CommandFailure(
      `manifest entry for image has unsupported os/arch combination: ${platform.os}/${platform.architecture}`,
    )
  }
  await lists.save(target, { ...entry, descriptor: { ...entry.descriptor, platform } })
}

/** What docker lets through: pairs that Go builds for. */
function isKnown({ os, architecture }: Platform): boolean {
  return pairs.has(`${os}/${architecture}`)
}

const pairs: ReadonlySet<string> = new Set(
  [
    'darwin/386 darwin/amd64 darwin/arm darwin/arm64 dragonfly/amd64',
    'freebsd/386 freebsd/amd64 freebsd/arm linux/386 linux/amd64 linux/arm linux/arm64',
    'linux/mips linux/mips64 linux/mips64le linux/mipsle linux/ppc64le linux/riscv64 linux/s390x',
    'netbsd/386 netbsd/amd64 netbsd/arm openbsd/386 openbsd/amd64 openbsd/arm',
    'plan9/386 plan9/amd64 solaris/amd64 windows/386 windows/amd64 windows/arm windows/arm64',
  ].flatMap((line) => line.split(' ')),
)
