#!/usr/bin/env node
// Starts Katman from its TypeScript source under a Node that can run it: this one, or the pinned one beside it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import path from 'node:path'

const main = new URL('../src/main.ts', import.meta.url)
const [major = 0] = process.versions.node.split('.').map(Number)
if (major >= 24) {
  const { main: start } = await import(main.href)
  await start(process.argv)
} else {
  const pinned = pinnedNode()
  if (pinned === undefined) {
    process.stderr.write(
      `katman: Node ${process.versions.node} is too old: Katman needs Node 24.\n` +
        'Run `npm ci` in its folder (it brings one), or install Node 24 or newer.\n',
    )
    process.exitCode = 1
  } else {
    const self = fileURLToPath(import.meta.url)
    const env = { ...process.env, KATMAN_PROGRAM: path.basename(process.argv[1] ?? 'katman') }
    const child = spawn(pinned, [self, ...process.argv.slice(2)], { stdio: 'inherit', env })
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(name, () => {
        // Ctrl-C reaches both of us, and twice would end the program before it has tidied up.
        if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name)
      })
    }
    child.on('error', (error) => {
      process.stderr.write(`katman: ${pinned} does not start: ${error.message}\n`)
      process.exitCode = 1
    })
    child.on('close', (code) => {
      process.exitCode = code ?? 1
    })
  }
}

/** The Node that `npm ci` installed with this project. */
function pinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json')
    const file = path.join(path.dirname(manifest), 'bin', 'node')
    return existsSync(file) ? file : undefined
  } catch {
    return undefined
  }
}
