/** The kinds of events, each a CloudEvents `type`. */
export const eventTypes = [
  'dev.katman.registry.repository.created',
  'dev.katman.registry.image.pushed',
  'dev.katman.registry.image.deleted',
  'dev.katman.registry.image.pulled',
  'dev.katman.registry.tag.created',
  'dev.katman.registry.tag.moved',
  'dev.katman.registry.tag.deleted',
] as const

export type EventType = (typeof eventTypes)[number]

/** An event as its row says. */
export interface StoredEvent {
  /** The order in which everybody sees events. */
  readonly seq: number
  readonly event_id: string
  readonly type: string
  readonly repository: string
  readonly namespace: string
  readonly subject: string
  readonly actor: string | null
  readonly at: number
  readonly data: string
}

/** A document of CloudEvents 1.0 in its JSON form; `sequence` is the extension of this name. */
export interface CloudEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  /** `NAME:TAG`, `NAME@DIGEST` or `NAME`. */
  readonly subject: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly sequence: string
  readonly data: unknown
}

/** @param source where the registry is: its public address, or a name that says nothing. */
export function cloudEvent(event: StoredEvent, source: string): CloudEvent {
  return {
    specversion: '1.0',
    id: event.event_id,
    source,
    type: event.type,
    subject: event.subject,
    time: new Date(event.at).toISOString(),
    datacontenttype: 'application/json',
    sequence: String(event.seq),
    data: JSON.parse(event.data),
  }
}

const prefix = 'dev.katman.registry.'

/** `tag.moved` is short for the whole type. */
export function fullType(type: string): string {
  return type.startsWith(prefix) ? type : prefix + type
}

/** No types mean all but pulls, of which there are many. */
export function matchesType(types: readonly string[], type: string): boolean {
  return types.length === 0 ? type !== 'dev.katman.registry.image.pulled' : types.includes(type)
}
