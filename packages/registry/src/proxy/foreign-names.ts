import type { RegistryOptions } from '../registry-options.ts'
import { createRule, type ReplicationRule } from '../replication/rule.ts'
import { createUpstream, originOf } from './upstream.ts'

/** Names whose content comes from other registries by configuration. */
export interface ForeignNames {
  /** The namespaces they are in, as far as the configuration says. */
  readonly namespaces: readonly string[]
  /** Whether a repository of this name would be fetched from an upstream. */
  readonly isUpstreams: (repository: string) => boolean
}

/** Reads them from the configuration. Throws `UPSTREAM_INVALID`, `RULE_INVALID`. */
export function readForeignNames(
  options: Pick<RegistryOptions, 'replication' | 'upstreams'>,
): ForeignNames {
  const upstreams = (options.upstreams ?? []).map(createUpstream)
  const rules = (options.replication ?? []).map(createRule)
  const namespaces = new Set<string>()
  for (const { prefix } of upstreams) if (prefix !== '') namespaces.add(firstPart(prefix))
  for (const name of rules.flatMap(targetNamespaces)) namespaces.add(name)
  return {
    namespaces: [...namespaces],
    isUpstreams: (repository) => originOf(upstreams, repository) !== undefined,
  }
}

/** Where a rule writes to here; what its patterns leave open only a run can tell. */
function targetNamespaces(rule: ReplicationRule): readonly string[] {
  if (rule.direction === 'push') return []
  const { from, to } = rule.rename
  return rule.repositories.flatMap((pattern) => {
    const [known = ''] = pattern.split('*')
    const isLonger = known.startsWith(from)
    if (!isLonger && !from.startsWith(known)) return []
    const beginning = isLonger ? to + known.slice(from.length) : to
    return beginning.includes('/') ? [firstPart(beginning)] : []
  })
}

function firstPart(name: string): string {
  return name.split('/', 1)[0] ?? name
}
