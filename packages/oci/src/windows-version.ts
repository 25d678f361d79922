/** Windows Server releases since which a host runs the images of the release before, oldest first (build numbers). */
const stableReleases = [20348, 26100]

/**
 * True when a Windows image of one version runs on a host of another: the same build; since Server 2022 also any build
 * from the previous long-term release up to the host's. Without a version on either side: true.
 */
export function runsWindowsVersion(host: string | undefined, image: string | undefined): boolean {
  const wanted = parseBuild(host)
  if (wanted === undefined || !image) return true
  const have = parseBuild(image)
  if (have === undefined) return false
  if (wanted.major !== have.major || wanted.minor !== have.minor) return false
  const [oldest = 0] = stableReleases
  if (wanted.build < oldest) return wanted.build === have.build
  const newest = stableReleases.findLastIndex((build) => wanted.build >= build)
  const floor = stableReleases[Math.max(0, newest - 1)] ?? oldest
  return floor <= have.build && have.build <= wanted.build
}

/** The numbers of a version; none when it has other parts. */
export function windowsVersionParts(version: string | undefined): readonly number[] {
  const parts = (version ?? '').split('.')
  return parts.every((part) => /^\d{1,9}$/.test(part)) ? parts.map(Number) : []
}

interface Build {
  readonly major: number
  readonly minor: number
  readonly build: number
}

function parseBuild(version: string | undefined): Build | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\.|$)/.exec(version ?? '')
  if (match === null) return undefined
  const [major, minor, build] = match.slice(1).map(Number)
  return { major: major ?? 0, minor: minor ?? 0, build: build ?? 0 }
}
