import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

// npx node scripts/complete-lockfile.ts: adds to package-lock.json the optional packages (binaries of tools for other
// platforms) that npm left out because its registry mirror did not have them yet. Without their entries `npm ci` calls
// the lockfile out of step and installs nothing. They are never fetched here: their os and cpu are others.

/** One package of a lockfile, as far as it matters here. */
interface LockEntry {
  readonly hasInstallScript?: boolean
  readonly version?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly optional?: boolean
  readonly dev?: boolean
  readonly cpu?: readonly string[]
  readonly os?: readonly string[]
  readonly libc?: readonly string[]
}

/** The part of a lockfile that is looked at. */
export interface Lockfile {
  readonly packages: Readonly<Record<string, LockEntry>>
}

/** The entries that a lockfile lacks: one for each optional dependency, of an exact version, that is nowhere in it. */
export function missingEntries(lockfile: Lockfile): Readonly<Record<string, LockEntry>> {
  const missing: Record<string, LockEntry> = {}
  for (const [place, entry] of Object.entries(lockfile.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!/^\d/.test(version) || isFound(lockfile, place, name, version)) continue
      const top = `node_modules/${name}`
      const taken = lockfile.packages[top] !== undefined || missing[top] !== undefined
      missing[taken ? `${place}/node_modules/${name}` : top] = {
        version,
        ...platformOf(name),
        ...(entry.dev === true ? { dev: true } : {}),
        optional: true,
      }
    }
  }
  return missing
}

/** Node's search: the package's own node_modules first, then each one above. */
function isFound(lockfile: Lockfile, from: string, name: string, version: string): boolean {
  for (
    let place = from;
    ;
    place = place.slice(0, Math.max(0, place.lastIndexOf('/node_modules/')))
  ) {
    const found = lockfile.packages[`${place === '' ? '' : `${place}/`}node_modules/${name}`]
    if (found !== undefined) return found.version === version
    if (place === '') return false
  }
}

const systems = new Set(
  'aix android darwin freebsd linux netbsd openbsd openharmony sunos win32'.split(' '),
)
const processors = new Set(
  'arm arm64 ia32 loong64 mips64el ppc64 riscv64 s390x wasm32 x64'.split(' '),
)

/** What the name says, by the custom of these packages: `@oxlint/binding-linux-arm64-musl`. */
function platformOf(name: string): Pick<LockEntry, 'cpu' | 'os' | 'libc'> {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-')
  const cpu = words.filter((word) => processors.has(word))
  const os = words.filter((word) => systems.has(word))
  const musl = words.some((word) => word.startsWith('musl'))
  const gnu = os.includes('linux') && words.some((word) => word.startsWith('gnu'))
  return {
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(os.length > 0 ? { os } : {}),
    ...(musl ? { libc: ['musl'] } : gnu ? { libc: ['glibc'] } : {}),
  }
}

if (import.meta.main) {
  const file = path.resolve(import.meta.dirname, '..', 'package-lock.json')
  const lockfile = JSON.parse(readFileSync(file, 'utf8')) as Lockfile
  const missing = missingEntries(lockfile)
  const packages = { ...lockfile.packages, ...missing }
  const sorted = Object.fromEntries(
    Object.keys(packages)
      .toSorted()
      .map((place) => [place, packages[place]]),
  )
  writeFileSync(file, `${JSON.stringify({ ...lockfile, packages: sorted }, undefined, 2)}\n`)
  console.log(`${Object.keys(missing).length} entries added`)
}
