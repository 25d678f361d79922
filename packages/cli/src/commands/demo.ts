import type { Context } from '../context.ts'
import { demoLanguage } from '../demo/texts.ts'
import { runDemo } from '../demo/run-demo.ts'

/** `demo` */
export async function run(
  context: Context,
  flags: { readonly keep: boolean; readonly lang: string | undefined },
): Promise<number> {
  return runDemo(context, { keep: flags.keep, language: demoLanguage(flags.lang, context.env) })
}
