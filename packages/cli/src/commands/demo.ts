import type { Context } from '../context.ts'
import { CommandFailure } from '../failure.ts'
import { demoLanguage } from '../demo/texts.ts'
import { runDemo } from '../demo/run-demo.ts'

/** `demo` */
export async function run(
  context: Context,
  flags: { readonly keep: boolean; readonly lang: string | undefined },
): Promise<number> {
  if (flags.lang && !/^(en|tr)([_.-].*)?$/i.test(flags.lang)) {
    throw new CommandFailure(`demo: unknown language ${flags.lang}: choose 'en' or 'tr'`)
  }
  return runDemo(context, { keep: flags.keep, language: demoLanguage(flags.lang, context.env) })
}
