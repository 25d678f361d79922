import { readFile } from 'node:fs/promises'
import {
  familiarName,
  familiarReference,
  isAttachmentTag,
  isDigest,
  type Reference,
} from '@katman/oci'
import type { Remote } from '@katman/remote'
import { limit } from '@katman/transfer'
import type { Context } from '../context.ts'
import { CommandFailure, dockerText, plainFailure } from '../failure.ts'
import type { SyncEntry, SyncFile } from '../sync/sync-entry.ts'
import { readSyncFile } from '../sync/sync-file.ts'
import { checkImage, syncImage, type SyncOutcome, targetName } from '../sync/sync-image.ts'
import { chooseTags } from '../sync/tag-choice.ts'
import { escapeTerminal } from '../terminal/escape.ts'
import { formatSize } from '../terminal/size.ts'

export interface SyncFlags {
  readonly dryRun: boolean
  readonly quiet: boolean
  readonly scoped: boolean
}

/** Images that are looked at on both sides at the same time. */
const concurrentChecks = 8

/** `sync FILE [DESTINATION]` */
export async function run(
  context: Context,
  flags: SyncFlags,
  [file = '', destination]: readonly string[],
): Promise<void> {
  const { entries, insecure } = await readFileTyped(context, file, destination, flags.scoped)
  await using remote = await context.openRemote({ insecure })
  const job: Job = {
    context,
    flags,
    remote,
    sums: { copied: 0, upToDate: 0, bytes: 0 },
    failures: [],
  }
  for (const entry of entries) await syncEntry(job, file, entry)
  const { sums, failures } = job
  const copied = `${sums.copied} ${flags.dryRun ? 'to copy' : 'copied'} (${formatSize(sums.bytes)})`
  const total = sums.copied + sums.upToDate
  if (!flags.quiet) {
    context.stdout.write(`${images(total)}: ${copied}, ${sums.upToDate} up to date\n`)
  }
  if (failures.length > 0) {
    throw new CommandFailure([`${failures.length} failed:`, ...failures].join('\n  '))
  }
}

interface Job {
  readonly context: Context
  readonly flags: SyncFlags
  readonly remote: Remote
  readonly sums: { copied: number; upToDate: number; bytes: number }
  readonly failures: string[]
}

/** One entry after the other; one that fails does not keep the others. */
async function syncEntry(job: Job, file: string, entry: SyncEntry): Promise<void> {
  const { context, remote } = job
  const where = `${file}:${entry.line}: `
  const references = await attempt(job, `${where}${familiarName(entry.source)}`, () =>
    referencesOf(context, remote, entry),
  )
  if (references?.length === 0) {
    fail(job, `${where}${familiarName(entry.source)}`, new Error('no tag fits'))
  }
  const slot = limit(concurrentChecks)
  const checks = (references ?? []).map((reference) => {
    const one = { context, remote, entry, reference, dryRun: job.flags.dryRun }
    const check = slot(() => checkImage(one))
    // It is told when its turn comes.
    check.catch(() => {})
    return { reference, check }
  })
  // One after the other: what images share moves once.
  for (const { reference, check } of checks) {
    const name = `${shownSource(entry, reference)} -> ${shown(targetName(entry, reference))}`
    const outcome = await attempt(job, `${where}${name}`, async () => syncImage(await check))
    if (outcome !== undefined) tell(job, name, outcome)
  }
}

async function referencesOf(
  { signal }: Context,
  remote: Remote,
  { images: wanted, source }: SyncEntry,
): Promise<readonly string[]> {
  if ('reference' in wanted) return [wanted.reference]
  const listed: string[] = []
  if (wanted.allow.length > 0) {
    for await (const tag of remote.repository(source).tags({ signal })) {
      // What is attached to images comes with them.
      if (!isAttachmentTag(tag)) listed.push(tag)
    }
  }
  return chooseTags(listed, wanted)
}

async function attempt<T>(job: Job, what: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    job.context.signal.throwIfAborted()
    fail(job, what, error)
    return undefined
  }
}

function fail(job: Job, what: string, error: unknown): void {
  const text = escapeTerminal(`${what}: ${dockerText(error)}`)
  job.failures.push(text)
  job.context.stderr.write(`${text}\n`)
}

function tell({ context, flags, sums }: Job, name: string, outcome: SyncOutcome): void {
  const { state, movedBytes } = outcome
  if (state === 'copied') sums.copied++
  else sums.upToDate++
  sums.bytes += movedBytes
  if (flags.quiet) return
  const text = state === 'copied' ? copiedText(outcome, flags.dryRun) : state
  context.stdout.write(`${escapeTerminal(name)}: ${text}\n`)
}

function copiedText({ movedBlobs, movedBytes, mountedBlobs }: SyncOutcome, isDry: boolean): string {
  const parts = [
    ...(movedBlobs === 0 ? [] : [`${blobs(movedBlobs)}, ${formatSize(movedBytes)}`]),
    ...(mountedBlobs === 0 ? [] : [`${blobs(mountedBlobs)} ${isDry ? 'to mount' : 'mounted'}`]),
  ]
  return [isDry ? 'to copy' : 'copied', ...parts].join(', ')
}

async function readFileTyped(
  { stdin }: Context,
  file: string,
  destination: string | undefined,
  scoped: boolean,
): Promise<SyncFile> {
  try {
    const text = file === '-' ? await readAll(stdin) : await readFile(file, 'utf8')
    const name = file === '-' ? 'standard input' : file
    return readSyncFile(text, { file: name, destination, scoped })
  } catch (error) {
    throw plainFailure(error)
  }
}

async function readAll(stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

function shownSource({ source }: SyncEntry, reference: string): string {
  return shown(
    isDigest(reference) ? { ...source, digest: reference } : { ...source, tag: reference },
  )
}

function shown(reference: Reference): string {
  return familiarReference(reference)
}

function blobs(count: number): string {
  return count === 1 ? '1 blob' : `${count} blobs`
}

function images(count: number): string {
  return count === 1 ? '1 image' : `${count} images`
}
