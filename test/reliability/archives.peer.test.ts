import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { tarBytes } from '@katman/layer'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describePeers } from '../peers/require-peer.ts'
import { runChecked } from '../peers/terminal.ts'
import { type Finished, katman, removeFolder, temporaryFolder } from './program.ts'
import { randomBytesOf, seededRandom } from './random.ts'

// Archives on disks that are full, and from a pipe that stands still.

const program = path.resolve(import.meta.dirname, '../../packages/cli/bin/katman.js')
let folder: string
let root: string

describePeers('archives', ['root'], () => {
  beforeAll(async () => {
    folder = await temporaryFolder()
    root = path.join(folder, 'store')
    const data = randomBytesOf(seededRandom(5), 12_000_000)
    await writeFile(file('files.tar'), tarBytes([{ name: 'data', content: data }]))
    await succeed('import', file('files.tar'), 'large:1')
    await succeed('save', '-o', file('large.tar'), 'large:1')
  })
  afterAll(() => removeFolder(folder))

  it.each([
    ['save', ['save', '-o', 'OUT', 'large:1']],
    ['export', ['export', '-o', 'OUT', 'large:1']],
    ['cp', ['cp', 'store:large:1', 'oci-archive:OUT']],
  ])('%s to a full disk says so and leaves nothing', async (name, words) => {
    await using disk = await mountTmpfs(`full-${name}`, 'size=4m')
    const out = path.join(disk.point, 'out.tar')
    const typed = words.map((word) => word.replace('OUT', out))
    expect(await katman(root, ...typed)).toMatchObject({
      exitCode: 1,
      stderr: `write ${out}: no space left on device\n`,
    })
    expect(await readdir(disk.point)).toEqual([])
  })

  it('save into a pipe to a full disk ends with one line', async () => {
    await using disk = await mountTmpfs('full-pipe', 'size=4m')
    const line = `exec ${program} save large:1 > ${path.join(disk.point, 'out.tar')}`
    const child = spawn('/bin/sh', ['-c', line], { env: { ...process.env, KATMAN_ROOT: root } })
    const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')])
    expect(child.exitCode).toBe(1)
    expect(stderr).toMatch(/no space left|ENOSPC/i)
    expect(stderr).not.toContain('    at ')
  })

  it.each([
    ['load', ['load'], 'large.tar'],
    ['import', ['import', '-', 'large:2'], 'files.tar'],
  ])(
    '%s without room for its temporary file says so and leaves nothing',
    async (name, words, from) => {
      await using disk = await mountTmpfs(`spool-${name}`, 'size=4m')
      const other = path.join(folder, `store-${name}`)
      const { exitCode, stderr } = await fromPipe(other, disk.point, words, file(from))
      expect(exitCode).toBe(1)
      expect(stderr).toContain('no space left for the temporary file')
      expect(stderr).toContain('hint: ')
      expect(stderr).toContain('TMPDIR')
      expect(await readdir(disk.point)).toEqual([])
      expect((await katman(other, 'images', '-aq')).stdout).toBe('')
      expect((await katman(other, 'fsck', '--hash')).stdout).toMatch(/clean\n$/)
    },
  )

  it.each([
    ['load', ['load'], 130, 'SIGINT'],
    ['import', ['import', '-'], 143, 'SIGTERM'],
  ] as const)(
    '%s from a pipe that stands still ends with one signal',
    async (name, words, code, signal) => {
      const temporary = path.join(folder, `stalled-${name}`)
      await mkdir(temporary)
      const env = { ...process.env, KATMAN_ROOT: path.join(folder, `s-${name}`), TMPDIR: temporary }
      const child = spawn(program, [...words], { env, stdio: ['pipe', 'pipe', 'pipe'] })
      child.stdin.on('error', () => {})
      child.stdin.write(Buffer.alloc(300_000, 'x'))
      while ((await readdir(temporary)).length === 0) await new Promise(setImmediate)
      const stopped = process.hrtime.bigint()
      child.kill(signal)
      await once(child, 'close')
      expect(child.exitCode).toBe(code)
      // Well before the five seconds after which the program is ended whatever it does.
      expect(Number(process.hrtime.bigint() - stopped) / 1e9).toBeLessThan(4)
      expect(await readdir(temporary)).toEqual([])
    },
  )
})

const file = (name: string): string => path.join(folder, name)

async function succeed(...words: readonly string[]): Promise<void> {
  expect(await katman(root, ...words), words.join(' ')).toMatchObject({ exitCode: 0 })
}

async function fromPipe(
  store: string,
  temporary: string,
  words: readonly string[],
  from: string,
): Promise<Pick<Finished, 'exitCode' | 'stderr'>> {
  const env = { ...process.env, KATMAN_ROOT: store, TMPDIR: temporary }
  const child = spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.on('error', () => {})
  createReadStream(from).pipe(child.stdin)
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')])
  return { exitCode: child.exitCode ?? -1, stderr }
}

async function mountTmpfs(
  name: string,
  options: string,
): Promise<AsyncDisposable & { readonly point: string }> {
  const point = path.join(folder, name)
  await mkdir(point)
  await runChecked('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', point])
  return {
    point,
    async [Symbol.asyncDispose]() {
      await runChecked('umount', ['-l', point])
    },
  }
}
