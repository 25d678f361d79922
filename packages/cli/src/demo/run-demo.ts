import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { once } from 'node:events'
import { parseReference } from '@katman/oci'
import type { Context } from '../context.ts'
import { runProgram } from '../main.ts'
import { pushDemoImage } from './demo-image.ts'
import { type DemoLanguage, type DemoTexts, demoTexts } from './texts.ts'

export interface DemoOptions {
  readonly keep: boolean
  readonly language: DemoLanguage
}

/**
 * Walks through the main job with real commands on a registry inside this process and a store of its own.
 * Every command is printed as one would type it, then run. Stops at the first that fails.
 */
export async function runDemo(context: Context, options: DemoOptions): Promise<number> {
  const texts = demoTexts[options.language]
  const started = context.now().getTime()
  const root = await mkdtemp(path.join(os.tmpdir(), 'katman-demo-'))
  const { openMemoryStorage, serveRegistry } = await import('@katman/registry')
  let requests = 0
  const registry = await serveRegistry({
    storage: openMemoryStorage(),
    onRequest: () => void requests++,
  })
  const demo = createStage(context, root)
  const app = `${registry.host}/demo/app`
  try {
    demo.say(texts.welcome)
    demo.say(texts.registryStarted(registry.host))
    const first = await pushDemoImage(context, parseReference(`${app}:1.0`), 1)
    demo.say(texts.pushed)

    await demo.step(texts.manifestInspect, ['manifest', 'inspect', `${app}:1.0`])
    await demo.step(texts.pull, ['pull', `${app}:1.0`])
    await demo.step(texts.images, ['images', '--digests'])
    await demo.step(texts.inspect, [
      'inspect',
      '--format',
      '{{.Id}} {{.Os}}/{{.Architecture}} {{json .RootFS.Layers}}',
      `${app}:1.0`,
    ])
    await demo.step(texts.history, ['history', `${app}:1.0`])
    await demo.step(texts.layers, ['layers', `${app}:1.0`])
    await demo.step(texts.pullDigest, ['pull', `${app}@${first.digest}`])
    requests = 0
    await demo.step(() => texts.secondPull(requests), ['pull', `${app}:1.0`])
    demo.say(texts.moveTag)
    await pushDemoImage(context, parseReference(`${app}:1.0`), 2)
    await demo.step(texts.pullMoved, ['pull', `${app}:1.0`])
    await demo.step(texts.dangling, ['images', '--digests'])
    await demo.step(texts.fsck, ['fsck', '--hash'])
    await demo.step(texts.remove, ['rmi', `${app}:1.0`, `${app}@${first.digest}`])
    demo.say(texts.done(((context.now().getTime() - started) / 1000).toFixed(1)))
    await finish(context, options, texts, { root, host: registry.host })
    return 0
  } finally {
    await registry.close()
    if (!options.keep) await rm(root, { recursive: true, force: true })
  }
}

interface Stage {
  say(text: string): void
  /** Prints the explanation and the command, runs it, prints what it prints. */
  step(text: string | (() => string), words: readonly string[]): Promise<void>
}

class StepFailed extends Error {}

function createStage(context: Context, root: string): Stage {
  const { stdout } = context
  const bold = (text: string): string =>
    stdout.isTerminal && !context.env['NO_COLOR'] ? `\u001b[1m${text}\u001b[22m` : text
  return {
    say(text) {
      stdout.write(`\n${text}\n`)
    },
    async step(text, words) {
      const isLate = typeof text === 'function'
      if (!isLate) this.say(text)
      else stdout.write('\n')
      stdout.write(`${bold(`$ katman ${words.map(quoted).join(' ')}`)}\n`)
      const code = await runProgram(words, {
        ...context,
        get stdin() {
          return context.stdin
        },
        program: 'katman',
        env: { ...context.env, KATMAN_ROOT: root },
        root,
      })
      if (code !== 0) throw new StepFailed(`katman ${words.join(' ')}: exit code ${code}`)
      if (isLate) stdout.write(`(${text()})\n`)
    },
  }
}

async function finish(
  context: Context,
  options: DemoOptions,
  texts: DemoTexts,
  places: { readonly root: string; readonly host: string },
): Promise<void> {
  if (!options.keep) {
    context.stdout.write(`${texts.removed}\n`)
    return
  }
  context.stdout.write(`${texts.kept(places.root, places.host)}\n`)
  if (!context.signal.aborted) await once(context.signal, 'abort')
}

/** A word as a shell wants it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
