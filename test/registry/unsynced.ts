import path from 'node:path'

/** An answer that was sent while something under the folder was not on disk yet. */
export interface EarlyAnswer {
  readonly answer: string
  /** Files with unwritten bytes, and entries of folders that a power cut would forget. */
  readonly unsynced: readonly string[]
}

/**
 * Reads a trace (`strace -f -y`) and finds the answers `201 Created` that were sent before all that had been written
 * until then was synced: bytes by `fsync` or `fdatasync` of their file, names by `fsync` of their folder.
 */
export function findEarlyAnswers(
  lines: readonly string[],
  folder: string,
): { readonly answers: number; readonly early: readonly EarlyAnswer[] } {
  const files = new Set<string>()
  const entries = new Set<string>()
  const early: EarlyAnswer[] = []
  let answers = 0
  for (const { call, args, isDone } of readCalls(lines)) {
    const file = /^\d+<(\/[^>]*)>/.exec(args)?.[1]
    const paths = Array.from(args.matchAll(/"((?:\/|[^"]*\/)[^"]*)"/g), ([, found = '']) => found)
    if (isWrite(call) && args.includes('"HTTP/1.1 201')) {
      answers++
      const unsynced = [...files, ...entries].filter((one) => one.startsWith(folder))
      if (unsynced.length > 0) early.push({ answer: `the ${answers}. 201`, unsynced })
    } else if (isWrite(call) && file !== undefined) {
      files.add(file)
    } else if (call.endsWith('sync') && file !== undefined && isDone) {
      files.delete(file)
      for (const entry of entries) if (path.dirname(entry) === file) entries.delete(entry)
    } else if (call.startsWith('rename') || call.startsWith('link')) {
      const [from = '', to = ''] = paths
      if (files.delete(from)) files.add(to)
      if (call.startsWith('rename')) entries.delete(from)
      entries.add(to)
    } else if (call.startsWith('unlink') || call === 'rmdir') {
      files.delete(paths[0] ?? '')
      entries.delete(paths[0] ?? '')
    } else if (call.startsWith('mkdir') || (call === 'openat' && args.includes('O_EXCL'))) {
      entries.add(paths[0] ?? '')
    }
  }
  return { answers, early }
}

interface Call {
  readonly call: string
  /** As strace prints them. */
  readonly args: string
  /** False where the call begins, when its end stands on a line of its own. */
  readonly isDone: boolean
}

function* readCalls(lines: readonly string[]): Generator<Call> {
  const begun = new Map<string, Call>()
  for (const line of lines) {
    const [, thread = '', resumed, call = '', rest = ''] =
      /^(\d+) +(<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$/.exec(line) ?? []
    if (call === '' || / = -1 E/.test(rest)) continue
    const earlier = begun.get(thread)
    if (resumed !== undefined) {
      if (earlier?.call === call) yield { ...earlier, isDone: true }
      continue
    }
    const isDone = !rest.endsWith('<unfinished ...>')
    const found = { call, args: rest, isDone }
    // What a call will change counts from its begin; that it has synced, from its end.
    if (!isDone) begun.set(thread, found)
    yield found
  }
}

function isWrite(call: string): boolean {
  return /^p?writev?(?:64)?$/.test(call) || call === 'ftruncate' || call === 'copy_file_range'
}
