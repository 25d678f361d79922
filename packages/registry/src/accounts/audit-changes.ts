import type { ChangeListener } from '../change.ts'
import { writeAudit } from './audit-log.ts'

/** Writes down what was deleted, and which tag was moved: what one asks for when an image is not what it was. */
export const auditChanges: ChangeListener = async (transaction, change) => {
  const entry = entryOf(change)
  if (entry === undefined) return
  await writeAudit(transaction, {
    at: change.at,
    actor: change.actor,
    result: 'done',
    ...entry,
  })
}

function entryOf(
  change: Parameters<ChangeListener>[1],
): { readonly action: string; readonly target: string; readonly detail?: string } | undefined {
  const { name } = change.repository
  switch (change.kind) {
    case 'repository-created':
      return { action: 'repository.create', target: name }
    case 'tag-set':
      if (change.previous === undefined || change.previous === change.digest) return undefined
      return {
        action: 'tag.move',
        target: `${name}:${change.tag}`,
        detail: `${change.previous} ${change.digest}`,
      }
    case 'tag-deleted':
      return { action: 'tag.delete', target: `${name}:${change.tag}`, detail: change.digest }
    case 'manifest-deleted':
      return { action: 'manifest.delete', target: `${name}@${change.digest}` }
    default:
      return undefined
  }
}
