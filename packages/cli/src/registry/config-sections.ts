import type { RegistryOptions } from '@katman/registry'
import type { YamlValue } from '../sync/yaml-reader.ts'
import { readEvents, readHub, readOutbound } from './event-sections.ts'
import { readAccess } from './access-section.ts'
import { readReplication, readUpstreams } from './proxy-sections.ts'
import { readCleanup } from './cleanup-section.ts'

/** What the sections of a configuration file say: one part of the registry, one section. */
export type Sections = Partial<RegistryOptions>

/** By the key of the section. Each reads its own value strictly: unknown keys are errors. */
const readers: Readonly<Record<string, (value: YamlValue) => Sections>> = {
  outbound: (value) => ({ outbound: readOutbound(value) }),
  events: (value) => ({ events: readEvents(value) }),
  hub: (value) => ({ hub: readHub(value) }),
  access: (value) => ({ access: readAccess(value) }),
  cleanup: readCleanup,
  upstreams: (value) => ({ upstreams: readUpstreams(value) }),
  replication: (value) => ({ replication: readReplication(value) }),
}

export const sectionNames: readonly string[] = Object.keys(readers)

export function readSections(fields: Readonly<Partial<Record<string, YamlValue>>>): Sections {
  let sections: Sections = {}
  for (const [name, read] of Object.entries(readers)) {
    const value = fields[name]
    if (value !== undefined && !value.isEmpty) sections = { ...sections, ...read(value) }
  }
  return sections
}
