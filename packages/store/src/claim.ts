import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { StoreContext } from './context.ts'
import { type Files, unless } from './files.ts'
import { ifDead } from './lease.ts'
import { ensureFolder, quietly, removeTree } from './publish.ts'

/** The right to work in a folder, alone among all processes. */
export interface Claim {
  /** Gives the folder up; `keep` leaves what is in it to the next owner. */
  release(options: { readonly keep: boolean }): void
}

/**
 * Tries to become the owner of a folder. Its claims are `claim.1`, `claim.2`, …: hard links to the lease of
 * their owner, so that the lock of that lease tells whether the owner lives, or empty when the owner gave
 * up. Only the highest counts, none is ever removed while the folder stands, and a claim is taken by making
 * the next number, which one process alone can do: so a takeover has no race. A finished owner moves the
 * whole folder away.
 */
export function tryClaim(context: StoreContext, folder: string): Claim | undefined {
  const { files } = context
  const lease = context.lease()
  ensureFolder(files, folder)
  const last = lastClaim(files, folder)
  if (last !== undefined && !isFree(files, last, lease.inode)) return undefined
  const number = (last?.number ?? 0) + 1
  const own = path.join(folder, `claim.${number}`)
  if (!unless(['EEXIST', 'ENOENT'], () => files.link(lease.path, own))) return undefined
  // The folder looked at may have been finished and made anew meanwhile: then this claim follows nothing.
  if (
    lastClaim(files, folder)?.number !== number ||
    files.stat(own)?.inode !== lease.inode ||
    (last !== undefined && files.stat(last.path)?.inode !== last.inode)
  ) {
    unless(['ENOENT'], () => files.unlink(own))
    return undefined
  }
  return {
    release({ keep }) {
      if (keep) {
        files.close(files.open(path.join(folder, `claim.${number + 1}`), 'create'))
        return
      }
      const away = path.join(lease.temporary, randomUUID())
      files.rename(folder, away)
      // It is out of everyone's way; what cannot be deleted now goes with the lease.
      quietly(() => removeTree(files, away))
    },
  }
}

/** Whether a folder's owner, if it has one, lives. Costs a process when it does. */
export function isClaimed(context: StoreContext, folder: string): boolean {
  const last = lastClaim(context.files, folder)
  return last !== undefined && !isFree(context.files, last, undefined)
}

interface FoundClaim {
  readonly number: number
  readonly path: string
  readonly inode: number
  readonly size: number
}

function lastClaim(files: Files, folder: string): FoundClaim | undefined {
  let names: ReadonlySet<string> = new Set()
  unless(['ENOENT'], () => {
    names = new Set(files.list(folder))
  })
  let number = 0
  while (names.has(`claim.${number + 1}`)) number++
  if (number === 0) return undefined
  const file = path.join(folder, `claim.${number}`)
  const facts = files.stat(file)
  return facts && { number, path: file, inode: facts.inode, size: facts.size }
}

function isFree(files: Files, claim: FoundClaim, ownInode: number | undefined): boolean {
  // An own claim here was left by a write of this handle that could not even give it up.
  return claim.size === 0 || claim.inode === ownInode || ifDead(files, claim.path)
}
