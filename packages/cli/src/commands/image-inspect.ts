import type { Context } from '../context.ts'
import { inspectImages } from '../inspect-images.ts'

/** `image inspect IMAGE...` */
export async function run(
  context: Context,
  flags: { readonly format: string | undefined; readonly platform: string | undefined },
  names: readonly string[],
): Promise<void> {
  await inspectImages(context, names, { ...flags, kind: 'image' })
}
