import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { isKatmanError, KatmanError } from '@katman/oci'
import { type FileFacts, errorCode, type Files, unless } from './files.ts'
import { folders, type Layout, layoutVersion } from './layout.ts'
import { ensureFolder, quietly, syncFolder, writeNewFile } from './publish.ts'
import { encodeRecord, readRecordValue } from './record-file.ts'

const reserveBytes = 256 * 1024

/**
 * Makes the root, or checks the one that is there: a folder of this user's, closed to all others, of a
 * version we know. Returns why the store cannot be written, if so.
 * Throws `STORE_NOT_OWNED`, `STORE_PERMISSIONS`, `STORE_INVALID`, `STORE_DAMAGED`.
 */
export async function openRoot(
  files: Files,
  layout: Layout,
  allowNetworkRoot = false,
): Promise<string | undefined> {
  makeParents(files, layout.root)
  const facts = files.stat(layout.root)
  if (facts?.kind !== 'folder') throw invalidRoot(layout.root, 'it is not a folder')
  checkOwner(layout.root, facts)
  const network = allowNetworkRoot ? undefined : files.networkKind(layout.root)
  const reason = network && `it is on a network file system (${network})`
  if (files.stat(layout.version) === undefined) {
    if (reason !== undefined) throw invalidRoot(layout.root, reason)
    await createStore(files, layout)
  } else if ((facts.mode & 0o077) !== 0) {
    throw openToOthers(layout.root, facts)
  }
  if (reason !== undefined) return reason
  return checkVersion(files, layout)
}

/**
 * Makes a store of an older layout one of ours, so that an older program, which would not know all that is needed, does
 * not write it any more. One that cannot be written now stays as it is.
 */
async function upgradeStore(files: Files, layout: Layout): Promise<void> {
  const file = `${layout.version}.${randomUUID()}`
  try {
    for (const name of folders) ensureFolder(files, layout.folder(name))
    await writeNewFile(files, file, versionRecord())
    files.rename(file, layout.version)
    await syncFolder(files, layout.root)
  } catch (error) {
    quietly(() => files.unlink(file))
    if (!isKatmanError(error, 'STORE_READ_ONLY') && !isKatmanError(error, 'STORE_FULL')) throw error
  }
}

/** The bytes of the `version` file. */
export function versionRecord(): Uint8Array {
  return encodeRecord({ katmanStore: layoutVersion })
}

/** The version a `version` file says. */
function versionOf(bytes: Uint8Array): number | undefined {
  const value = readRecordValue(bytes) as { katmanStore?: unknown } | null | undefined
  return typeof value?.katmanStore === 'number' ? value.katmanStore : undefined
}

/** Makes the file that is given back when the disk is full, if there is room for it. */
export async function keepReserve(files: Files, layout: Layout): Promise<void> {
  if (files.stat(layout.reserve) !== undefined) return
  if (files.freeBytes(layout.root) < 8 * reserveBytes) return
  const file = `${layout.reserve}.${randomUUID()}`
  try {
    await writeNewFile(files, file, new Uint8Array(reserveBytes))
    files.rename(file, layout.reserve)
  } catch (error) {
    quietly(() => files.unlink(file))
    if (!isKatmanError(error, 'STORE_FULL')) throw error
  }
}

async function createStore(files: Files, layout: Layout): Promise<void> {
  const strangers = files
    .list(layout.root)
    .filter((name) => !isOurs(name))
    .toSorted()
  if (strangers.length > 0) {
    throw invalidRoot(layout.root, `it holds something else: ${JSON.stringify(strangers[0])}`)
  }
  files.makePrivate(layout.root)
  for (const name of folders) ensureFolder(files, layout.folder(name))
  await keepReserve(files, layout)
  const file = `${layout.version}.${randomUUID()}`
  await writeNewFile(files, file, versionRecord())
  // Another process may make the store at the same time: the first one's version file stays.
  unless(['EEXIST'], () => files.link(file, layout.version))
  files.unlink(file)
  await syncFolder(files, layout.root)
}

function isOurs(name: string): boolean {
  return (
    folders.some((folder) => folder === name) ||
    name.startsWith('version') ||
    name.startsWith('reserve') ||
    name === 'lost+found'
  )
}

function makeParents(files: Files, folder: string, hasParent = false): void {
  try {
    files.mkdir(folder)
  } catch (error) {
    switch (errorCode(error)) {
      case 'EEXIST':
        return
      case 'ENOENT':
        // In /proc and the like nothing can be made though the parent is there.
        if (hasParent) throw invalidRoot(folder, 'no folder can be made there', error)
        makeParents(files, path.dirname(folder))
        makeParents(files, folder, true)
        return
      case 'ENOTDIR':
        throw invalidRoot(folder, 'a part of the path is not a folder', error)
      default:
        // A root on a read-only file system can still be read when it is there.
        if (files.stat(folder)?.kind !== 'folder') throw error
    }
  }
}

function checkOwner(root: string, facts: FileFacts): void {
  const user = process.getuid?.()
  if (user === undefined || facts.owner === user) return
  throw new KatmanError(
    'STORE_NOT_OWNED',
    `the store ${root} belongs to user ${facts.owner}, not to ${user}`,
    {
      hint: 'use a store of your own with --root or KATMAN_ROOT',
      details: { root, owner: facts.owner, user },
    },
  )
}

function openToOthers(root: string, facts: FileFacts): KatmanError {
  const mode = facts.mode.toString(8).padStart(4, '0')
  return new KatmanError(
    'STORE_PERMISSIONS',
    `the store ${root} is open to other users (mode ${mode})`,
    {
      hint: `close it with: chmod 700 ${root}`,
      details: { root, mode },
    },
  )
}

async function checkVersion(files: Files, layout: Layout): Promise<string | undefined> {
  const version = versionOf(files.readFile(layout.version))
  if (version === undefined) {
    return `the version file ${layout.version} is damaged; run: katman fsck --repair`
  }
  if (version < layoutVersion) await upgradeStore(files, layout)
  if (version <= layoutVersion) return undefined
  return `it has layout version ${version}, this program writes version ${layoutVersion}; use a newer one`
}

function invalidRoot(root: string, reason: string, cause?: unknown): KatmanError {
  return new KatmanError('STORE_INVALID', `cannot use ${root} as a store: ${reason}`, {
    hint: 'choose an empty folder with --root or KATMAN_ROOT',
    details: { root, reason },
    ...(cause === undefined ? {} : { cause }),
  })
}
