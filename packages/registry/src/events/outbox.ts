import { randomUUID } from 'node:crypto'
import type { Change, ChangeListener } from '../change.ts'
import type { Queries } from '../database/database.ts'
import type { EventType } from './event.ts'

/** Writes an event for each change that people care about, in the transaction of the change: none without the other. */
export const writeOutbox: ChangeListener = async (transaction, change) => {
  const event = eventOf(change)
  if (event !== undefined) await addEvent(transaction, change, event)
}

interface NewEvent {
  readonly type: EventType
  /** What comes after the name of the repository. */
  readonly reference: string
  readonly data: Readonly<Record<string, unknown>>
}

export async function addEvent(
  queries: Queries,
  { repository, actor, at }: Pick<Change, 'repository' | 'actor' | 'at'>,
  { type, reference, data }: NewEvent,
): Promise<void> {
  const { name, namespace } = repository
  await queries.run(insertEvent, [
    randomUUID(),
    type,
    name,
    namespace,
    `${name}${reference}`,
    actor ?? null,
    at,
    JSON.stringify({ repository: name, namespace, ...data, actor: actor ?? null }),
  ])
}

function eventOf(change: Change): NewEvent | undefined {
  switch (change.kind) {
    case 'repository-created':
      return { type: 'dev.katman.registry.repository.created', reference: '', data: {} }
    case 'manifest-put': {
      if (!change.isNew) return undefined
      const { digest, mediaType, artifactType = null, subject = null, size } = change
      const data = { digest, mediaType, artifactType, subject, size }
      return { type: 'dev.katman.registry.image.pushed', reference: `@${digest}`, data }
    }
    case 'manifest-deleted': {
      const { digest, mediaType, size } = change
      const data = { digest, mediaType, size }
      return { type: 'dev.katman.registry.image.deleted', reference: `@${digest}`, data }
    }
    case 'tag-set': {
      const { tag, digest, previous = null } = change
      if (previous === digest) return undefined
      const type: EventType =
        previous === null ? 'dev.katman.registry.tag.created' : 'dev.katman.registry.tag.moved'
      return { type, reference: `:${tag}`, data: { tag, digest, previous } }
    }
    case 'tag-deleted': {
      const { tag, digest } = change
      return {
        type: 'dev.katman.registry.tag.deleted',
        reference: `:${tag}`,
        data: { tag, digest },
      }
    }
    default:
      return undefined
  }
}

const insertEvent = `INSERT INTO events (event_id, type, repository, namespace, subject, actor, at, data)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
