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
  const folder = await mkdtemp(path.join(os.tmpdir(), 'katman-demo-'))
  const root = path.join(folder, 'store')
  const { openMemoryStorage, serveRegistry } = await import('@katman/registry')
  let requests = 0
  const registry = await serveRegistry({
    storage: await openMemoryStorage(),
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
    const team = `${registry.host}/team/app:2.0`
    await moveAround(demo, texts, { app: `${app}:1.0`, team, registry: registry.host, folder })
    await signAndVerify(demo, texts, { image: team, folder })
    await demo.step(texts.fsck, ['fsck', '--hash'])
    await demo.step(texts.remove, ['rmi', `${app}:1.0`, team, `${app}@${first.digest}`])
    demo.say(texts.done(((context.now().getTime() - started) / 1000).toFixed(1)))
    await finish(context, options, texts, { root, host: registry.host })
    return 0
  } finally {
    await registry.close()
    if (!options.keep) await rm(folder, { recursive: true, force: true })
  }
}

/** Push, copies, archives, search. */
async function moveAround(
  demo: Stage,
  texts: DemoTexts,
  places: {
    readonly app: string
    readonly team: string
    readonly registry: string
    readonly folder: string
  },
): Promise<void> {
  const { app, team, registry } = places
  const archive = path.join(places.folder, 'app.tar')
  await demo.step(texts.tag, ['tag', app, team])
  await demo.step(texts.push, ['push', team])
  await demo.step(texts.copy, ['cp', app, `${registry}/mirror/app:1.0`])
  await demo.step(texts.search, ['search', `${registry}/app`])
  await demo.step(texts.save, ['save', '-o', archive, team])
  await demo.step(texts.load, ['load', '-i', archive])
}

async function signAndVerify(
  demo: Stage,
  texts: DemoTexts,
  { image, folder }: { readonly image: string; readonly folder: string },
): Promise<void> {
  const key = path.join(folder, 'demo')
  await demo.step(texts.keyPair, ['generate-key-pair', '--output-key-prefix', key])
  await demo.step(texts.sign, ['sign', '--key', `${key}.key`, image])
  await demo.step(texts.verify, ['verify', '--key', `${key}.pub`, image])
  await demo.step(texts.referrers, ['referrers', image])
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
        // One story, in order: progress belongs between the lines that lead to it.
        stderr: stdout,
        // The password of the demo's own key: nobody is asked for one.
        env: { ...context.env, KATMAN_ROOT: root, KATMAN_KEY_PASSWORD: 'demo' },
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
