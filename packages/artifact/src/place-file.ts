import fs from 'node:fs'
import path from 'node:path'
import type { KatmanError } from '@katman/oci'
import { pathInvalid } from './title.ts'

/**
 * Makes the folders above a path below `root` and returns where it is. What is there and is no folder, a symbolic link
 * to one too, is refused: behind it the path would lead elsewhere. Throws `ARTIFACT_PATH_INVALID`.
 */
export function preparePath(root: string, parts: readonly string[]): string {
  let folder = root
  for (const part of parts.slice(0, -1)) {
    folder = path.join(folder, part)
    const there = fs.lstatSync(folder, { throwIfNoEntry: false })
    if (there === undefined) fs.mkdirSync(folder)
    else if (!there.isDirectory()) {
      throw noFolder(parts, folder, there)
    }
  }
  return path.join(folder, parts.at(-1) ?? '')
}

/** What {@link placeFile} would refuse, before anything is moved or made. Throws `ARTIFACT_PATH_INVALID`. */
export function checkPlace(
  root: string,
  parts: readonly string[],
  from: string,
  keepOld: boolean,
): void {
  for (let count = 1; count < parts.length; count++) {
    const folder = path.join(root, ...parts.slice(0, count))
    const there = fs.lstatSync(folder, { throwIfNoEntry: false })
    if (there === undefined) return
    if (!there.isDirectory()) throw noFolder(parts, folder, there)
  }
  const there = fs.lstatSync(path.join(root, ...parts), { throwIfNoEntry: false })
  const isFolder = fs.lstatSync(from).isDirectory()
  if (there?.isDirectory() && isFolder) {
    for (const name of fs.readdirSync(from)) {
      checkPlace(root, [...parts, name], path.join(from, name), keepOld)
    }
    return
  }
  if (there !== undefined) refuseTaken(parts, there, isFolder, keepOld)
}

/**
 * Moves a file, a link or a folder below `root`, in place of a file or link there; into a folder that is there each of
 * its files. With `keepOld`, what is there already is an error. Throws `ARTIFACT_PATH_INVALID`.
 */
export function placeFile(
  root: string,
  parts: readonly string[],
  from: string,
  keepOld: boolean,
): void {
  const target = preparePath(root, parts)
  const there = fs.lstatSync(target, { throwIfNoEntry: false })
  const isFolder = fs.lstatSync(from).isDirectory()
  if (there?.isDirectory() && isFolder) {
    for (const name of fs.readdirSync(from)) {
      placeFile(root, [...parts, name], path.join(from, name), keepOld)
    }
    return
  }
  if (there !== undefined) refuseTaken(parts, there, isFolder, keepOld)
  fs.renameSync(from, target)
}

function refuseTaken(
  parts: readonly string[],
  there: fs.Stats,
  isFolder: boolean,
  keepOld: boolean,
): void {
  if (keepOld) throw pathInvalid(parts.join('/'), 'it is there already')
  if (there.isDirectory()) throw pathInvalid(parts.join('/'), 'there is a folder of this name')
  if (isFolder) throw pathInvalid(parts.join('/'), 'there is a file of this name')
}

function noFolder(parts: readonly string[], folder: string, there: fs.Stats): KatmanError {
  const what = there.isSymbolicLink() ? 'a link' : 'no folder'
  return pathInvalid(parts.join('/'), `${folder} is ${what}`)
}
