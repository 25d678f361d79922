import { hash } from 'node:crypto'
import path from 'node:path'
import type { Bytes, Digest } from '@katman/oci'
import { isKatmanError, KatmanError } from '@katman/oci'
import { type CheckState, type MutableProblem, report, visit } from './check-state.ts'
import { damage, readRecordFile } from './check-records.ts'
import { quarantine } from './blobs.ts'
import { hasLayer, type LayerRecord, layerRecordOf } from './layers.ts'
import { digestOfFileName } from './layout.ts'
import { replaceFile } from './publish.ts'
import { encodeRecord } from './record-file.ts'
import { refetch } from './refetch.ts'
import { listed } from './reference-files.ts'
import { writeContent } from './write.ts'

/** Checks every layer that is here, then that every needed one is; indexes are made anew from the blobs. */
export async function checkLayers(state: CheckState): Promise<void> {
  const { context } = state
  const folder = context.layout.folder('layers')
  const broken = new Map<string, readonly MutableProblem[]>()
  const neededLayers = new Set([...state.needed.values()].map(({ diffID }) => diffID))
  for (const name of listed(context, folder)) {
    const target = path.join(folder, name)
    const diffID = digestOfFileName(name)
    const problems = await checkLayer(state, target, diffID)
    if (problems.length === 0) continue
    broken.set(target, problems)
    if (state.options.repair === undefined) continue
    quarantine(context, target, `layer.${name}`)
    for (const problem of problems) problem.repaired = !neededLayers.has(diffID)
  }
  for (const needed of state.needed.values()) {
    const { descriptor, diffID } = needed
    if (diffID === undefined || hasLayer(context, diffID, descriptor.digest)) continue
    const target = context.layout.layer(diffID)
    const known = broken.get(target)
    // A blob that no index can be made of is fetched again.
    const rebuild = async (): Promise<boolean> =>
      (await indexAgain(state, descriptor, diffID)) || refetch(state, needed)
    if (known === undefined) {
      const problem = 'is not indexed'
      await report(state, { kind: 'layer', path: target, digest: diffID, problem }, rebuild)
    } else if (state.options.repair !== undefined) {
      const repaired = await rebuild()
      for (const problem of known) problem.repaired = repaired
    }
  }
}

/** The problems that make a layer's folder worthless; a damaged copy of a record is mended at once. */
async function checkLayer(
  state: CheckState,
  target: string,
  diffID: Digest | undefined,
): Promise<readonly MutableProblem[]> {
  const { context } = state
  const broken: MutableProblem[] = []
  const spoil = async (file: string, problem: string): Promise<void> => {
    const found = { kind: 'layer', path: file, problem, ...(diffID && { digest: diffID }) } as const
    broken.push(await report(state, found, () => false))
  }
  let record: LayerRecord | undefined
  for (const name of ['record', ...listed(context, target).filter(isOrigin)]) {
    const file = path.join(target, name)
    visit(state, file)
    const read = readRecordFile(state, file)
    const isReadable = read !== undefined && isAbout(read.value, diffID)
    if (isReadable && name === 'record') record = layerRecordOf(read.value)
    if (isReadable && read.intact) continue
    if (!isReadable) {
      await spoil(file, read === undefined ? 'is missing' : damage(false))
      continue
    }
    const found = {
      kind: 'layer',
      path: file,
      problem: damage(true),
      ...(diffID && { digest: diffID }),
    } as const
    await report(state, found, async () => {
      const { files, lease } = context
      await replaceFile(files, file, encodeRecord(read.value), lease().temporary)
      return true
    })
  }
  const index = path.join(target, 'index')
  visit(state, index)
  const problem = record && indexProblem(state, index, record)
  if (problem !== undefined) await spoil(index, problem)
  return broken
}

function isOrigin(name: string): boolean {
  return name.startsWith('from.')
}

function isAbout(value: unknown, diffID: Digest | undefined): boolean {
  return (
    diffID !== undefined && (value as { diffID?: unknown } | null | undefined)?.diffID === diffID
  )
}

function indexProblem(
  { context, options }: CheckState,
  file: string,
  record: LayerRecord,
): string | undefined {
  const facts = context.files.stat(file)
  if (facts === undefined) return 'is missing'
  if (facts.size !== record.indexSize) return `has ${facts.size} bytes, not ${record.indexSize}`
  if (options.level !== 'hash') return undefined
  const isWhole = hash('sha256', context.files.readFile(file)) === record.indexHash
  return isWhole ? undefined : 'is damaged'
}

async function indexAgain(
  state: CheckState,
  descriptor: Parameters<typeof writeContent>[1],
  diffID: Digest,
): Promise<boolean> {
  const nothing = async (): Promise<Bytes> => {
    throw new KatmanError(
      'BLOB_UNKNOWN',
      `${state.context.name}: no content for ${descriptor.digest}`,
    )
  }
  try {
    await writeContent(state.context, descriptor, nothing, { diffID, signal: state.options.signal })
    return true
  } catch (error) {
    state.options.signal?.throwIfAborted()
    if (!isKatmanError(error)) throw error
    return false
  }
}
