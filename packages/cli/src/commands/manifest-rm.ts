import type { Context } from '../context.ts'
import { CommandFailure } from '../failure.ts'
import { openManifestLists } from '../manifest-lists.ts'
import { parseName } from './manifest-create.ts'

/** `manifest rm LIST...` */
export async function run(context: Context, _: unknown, names: readonly string[]): Promise<void> {
  const lists = openManifestLists(context.env)
  const misses: string[] = []
  for (const name of names) {
    if (!(await lists.remove(parseName(name)))) misses.push(`No such manifest: ${name}`)
  }
  if (misses.length > 0) throw new CommandFailure(misses.join('\n'))
}
