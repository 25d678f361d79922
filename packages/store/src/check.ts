import { checkBlobs } from './check-blobs.ts'
import { checkContent } from './check-content.ts'
import { checkLayers } from './check-layers.ts'
import { checkImages, checkReferences, checkVersion } from './check-records.ts'
import { checkReferrers } from './check-referrers.ts'
import { type CheckOptions, type CheckResult, type CheckState, report } from './check-state.ts'
import { checkIngests, checkLeases } from './check-unfinished.ts'
import { requireWritable, type StoreContext } from './context.ts'
import { folders } from './layout.ts'
import { quietly, syncFolder } from './publish.ts'

/** Looks at everything in a store. Others may use it meanwhile. */
export async function check(
  context: StoreContext,
  options: CheckOptions = {},
): Promise<CheckResult> {
  const state: CheckState = {
    context,
    options,
    problems: [],
    checked: 0,
    references: [],
    images: [],
    referrers: [],
    needed: new Map(),
  }
  await checkVersion(state)
  if (options.repair !== undefined) requireWritable(context)
  await checkFolders(state)
  await checkReferences(state)
  await checkImages(state)
  await checkReferrers(state)
  await checkContent(state)
  await checkBlobs(state)
  await checkLayers(state)
  await checkIngests(state)
  await checkLeases(state)
  return { problems: state.problems, checked: state.checked }
}

async function checkFolders(state: CheckState): Promise<void> {
  const { files, layout } = state.context
  for (const name of folders) {
    const folder = layout.folder(name)
    if (files.stat(folder)?.kind === 'folder') continue
    await report(state, { kind: 'folder', path: folder, problem: 'is missing' }, async () => {
      quietly(() => files.mkdir(folder))
      await syncFolder(files, layout.root)
      return files.stat(folder)?.kind === 'folder'
    })
  }
}
