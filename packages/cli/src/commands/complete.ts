import { loadImages } from '@katman/store'
import { familiarReference } from '@katman/oci'
import { completeWords } from '../complete-words.ts'
import type { Context } from '../context.ts'
import { escapeTerminal } from '../terminal/escape.ts'

/** `__complete WORD...`: a candidate a line, with a tab and what it is. A shell asks this at every Tab, so it never fails. */
export async function run(
  context: Context,
  _flags: object,
  words: readonly string[],
): Promise<void> {
  const { candidates, images } = completeWords(words)
  for (const { word, summary } of candidates) context.stdout.write(`${word}\t${summary}\n`)
  if (!images) return
  const start = words.at(-1) ?? ''
  for (const name of await imageNames(context)) {
    if (name.startsWith(start)) context.stdout.write(`${escapeTerminal(name)}\t\n`)
  }
}

async function imageNames(context: Context): Promise<readonly string[]> {
  try {
    await using store = await context.openStore()
    const names = (await loadImages(store)).flatMap((image) =>
      image.tags.map(({ reference }) => familiarReference(reference)),
    )
    return names.toSorted()
  } catch {
    // Without a store there is nothing to complete.
    return []
  }
}
