import path from 'node:path'
import { canonicalName, type Reference, withDefaultTag } from '@katman/oci'
import type { Policy, Requirement } from './policy.ts'

/** What is to be admitted, as a policy sees it. */
export interface PolicySubject {
  readonly transport: 'docker' | 'oci' | 'oci-archive' | 'docker-archive'
  /** The scopes that speak of it, the most specific first. */
  readonly scopes: readonly string[]
  /** Its name, with a tag or a digest, where its place has names. */
  readonly reference: Reference | undefined
  /** What messages call it: `docker://registry.example/app:1`. */
  readonly shown: string
}

/** An image in a registry. With a digest its tag does not matter; without both `latest` is meant. */
export function registrySubject(typed: Reference): PolicySubject {
  const reference = withDefaultTag(typed)
  const { tag, digest, registry, repository } = reference
  const name = canonicalName(reference)
  const one = digest === undefined ? `:${tag}` : `@${digest}`
  const scopes = [`${name}${one}`]
  for (let at = name.length; at > 0; at = name.lastIndexOf('/', at - 1)) {
    scopes.push(name.slice(0, at))
  }
  // Wildcards name no port.
  const labels = registry.replace(/:\d+$/, '').split('.')
  for (let skip = 1; skip < labels.length; skip++) scopes.push(`*.${labels.slice(skip).join('.')}`)
  const wanted: Reference = digest === undefined ? reference : { registry, repository, digest }
  return { transport: 'docker', scopes, reference: wanted, shown: `docker://${name}${one}` }
}

/** An image in a folder or an archive, named by the real path of it. */
export function fileSubject(
  transport: 'oci' | 'oci-archive' | 'docker-archive',
  file: string,
  options: { readonly name?: string | undefined; readonly reference?: Reference | undefined } = {},
): PolicySubject {
  const { name, reference } = options
  const shown = `${transport}:${file}${name === undefined ? '' : `:${name}`}`
  // The format gives docker archives no scopes but their transport's default.
  if (transport === 'docker-archive') return { transport, scopes: [], reference, shown }
  const scopes = name === undefined ? [] : [`${file}:${name}`]
  for (let folder = file; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    scopes.push(folder)
  }
  return { transport, scopes, reference: undefined, shown }
}

/** The requirements of the most specific scope alone; else of the transport, else of the whole policy. */
export function requirementsFor(
  policy: Policy,
  { transport, scopes }: PolicySubject,
): readonly Requirement[] {
  const scoped = policy.transports.get(transport)
  for (const scope of [...scopes, '']) {
    const found = scoped?.get(scope)
    if (found !== undefined) return found
  }
  return policy.default
}
