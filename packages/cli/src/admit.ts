import { realpath } from 'node:fs/promises'
import type { ArchiveKind } from '@katman/archive'
import { type Descriptor, KatmanError, type Reference } from '@katman/oci'
import type { PolicySubject } from '@katman/sign'
import type { Source } from '@katman/transfer'
import type { Context, Environment } from './context.ts'
import type { OpenedSource, PlaceName } from './copy-places.ts'
import { policyFile } from './policy-file.ts'

/** An image that a command is about to take from somewhere. */
export interface Taken {
  readonly source: Source
  readonly root: Descriptor
  /** The entries of an index that are taken, when these alone are. */
  readonly chosen?: () => Promise<readonly Descriptor[]>
  /** The name in a registry, or the place and the names an archive gives. */
  readonly from: { readonly registry: Reference } | FilePlace
}

/** An image in a file or folder. It must be admitted as each kind, and under each name. */
export interface FilePlace {
  readonly kinds: readonly ArchiveKind[]
  /** The real path, as `fixedPath` gives it; undefined for standard input. */
  readonly file: string | undefined
  /** The names it has there. */
  readonly names: readonly string[]
  /** Those of them that name an image anywhere. */
  readonly references?: readonly Reference[]
}

/**
 * Asks this user's signature policy, before anything is written. Without a policy everything may be taken, as with
 * docker. Throws `POLICY_REJECTED`, `POLICY_INVALID`.
 */
export async function admit(context: Context, taken: Taken): Promise<void> {
  const file = policyFile(context.env)
  if (file === undefined) return
  const { admitImage, readPolicy } = await import('@katman/sign')
  const policy = await readPolicy(file)
  const { from, ...image } = taken
  for (const subject of await subjectsOf(from)) {
    await admitImage(policy, { ...image, subject }, { signal: context.signal })
  }
}

/** What an opened place is to the policy. The local store is not asked about. */
export function policyPlace(place: PlaceName, opened: OpenedSource): Taken['from'] | undefined {
  if ('reference' in place) {
    return place.kind === 'store' ? undefined : { registry: opened.reference ?? place.reference }
  }
  const { found } = opened
  if (found === undefined) throw new TypeError(`${opened.source.name}: nobody says what it is`)
  const name = place.kind === 'stream' ? undefined : place.name
  return name === undefined ? found : { ...found, names: [name] }
}

/**
 * The path to open a file or folder by. Scopes of a policy are real paths: with a policy this is the real path, so that
 * what is opened is what was judged. A path that leads nowhere stays, for opening to say so.
 */
export async function fixedPath(env: Environment, file: string): Promise<string> {
  if (policyFile(env) === undefined) return file
  return realpath(file).catch(() => file)
}

async function subjectsOf(from: Taken['from']): Promise<readonly PolicySubject[]> {
  const { fileSubject, registrySubject } = await import('@katman/sign')
  if ('registry' in from) return [registrySubject(from.registry)]
  const { kinds, file = '-', names, references = [] } = from
  if (file !== '-' && (await realpath(file)) !== file) {
    throw new KatmanError('POLICY_REJECTED', `Source image rejected: ${file} changed its place`, {
      hint: 'try again when nobody moves it',
      details: { file },
    })
  }
  return kinds.flatMap((kind) =>
    kind === 'docker-archive'
      ? orNone(references).map((reference) => fileSubject(kind, file, { reference }))
      : orNone(names).map((name) => fileSubject(kind, file, { name })),
  )
}

function orNone<T>(list: readonly T[]): readonly (T | undefined)[] {
  return list.length === 0 ? [undefined] : list
}
