import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { openOciLayout, readVerified } from 'katman'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage } from '../hostile/hostile-image.ts'
import { openProgram, type TestProgram } from './run-in-process.ts'

const repository = path.resolve(import.meta.dirname, '../..')
let scratch: TestProgram
let registry: RegistryServer
let digest: string
beforeEach(async () => {
  scratch = await openProgram()
  const storage = await openMemoryStorage()
  digest = (await addImage(storage)).index.digest
  registry = await serveRegistry({ storage })
})
afterEach(async () => {
  await registry.close()
  await scratch[Symbol.asyncDispose]()
})

/** Runs a program of the library as a user would, with Ctrl-C at the first output if asked. */
function runExample(
  words: readonly string[],
  interrupt = false,
): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, {
      cwd: repository,
      env: { PATH: process.env['PATH'], HOME: scratch.folder },
    })
    let text = ''
    const take = (chunk: Buffer): void => {
      text += chunk.toString()
      if (interrupt) child.kill('SIGINT')
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
  })
}

describe('the library', () => {
  it('attaches files to an image as the example says', async () => {
    const name = `${registry.host}/team/app`
    const words = ['examples/attach-files.ts', name, 'application/x', 'README.md', 'examples']
    const { code, text } = await runExample(words)
    expect(text).toMatch(/^application\/x sha256:\w{64}\n$/)
    expect(code).toBe(0)
  })

  it('pulls into an OCI layout as the example says', async () => {
    const folder = path.join(scratch.folder, 'image')
    const name = `${registry.host}/team/app`
    const { code, text } = await runExample(['examples/pull-to-layout.ts', name, folder])
    expect(text).toMatch(/^copied sha256:\w{64}\ncopied sha256:\w{64}\n/)
    expect(text).toContain(`${name}: ${digest}, `)
    expect(code).toBe(0)
    const layout = await openOciLayout(folder)
    const root = await layout.resolve('latest')
    expect(root.digest).toBe(digest)
    expect((await readVerified(layout, root)).byteLength).toBe(root.size)
  })

  it('has an example that fails with a coded error, and says no more than that', async () => {
    const { code, text } = await runExample([
      'examples/pull-to-layout.ts',
      `${registry.host}/team/nope`,
      path.join(scratch.folder, 'x'),
    ])
    expect(code).toBe(1)
    expect(text).toMatch(/MANIFEST_UNKNOWN|NAME_UNKNOWN/)
  })

  it('runs the code that the manual shows', async () => {
    const manual = await readFile(path.join(repository, 'docs/library.md'), 'utf8')
    const [, shown = ''] = /```ts\n([\s\S]*?)```/.exec(manual) ?? []
    expect(shown).toContain('copyContent')
    const code = shown
      .replace("'alpine:3.20'", `'${registry.host}/team/app:latest'`)
      .replaceAll("'3.20'", "'latest'")
      .replace("'./image'", `'${path.join(scratch.folder, 'shown')}'`)
    const ran = await runExample(['--input-type=module-typescript', '-e', code])
    expect(ran).toMatchObject({ code: 0 })
    const layout = await openOciLayout(path.join(scratch.folder, 'shown'))
    expect((await layout.resolve('latest')).digest).toBe(digest)
  })
})
