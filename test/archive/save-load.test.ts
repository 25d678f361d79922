import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { openMemoryStorage, type RegistryServer, serveRegistry } from '@katman/registry'
import { openStore } from '@katman/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addImage, addIndex, platform } from '../hostile/hostile-image.ts'
import { openProgram, type TestProgram } from '../program/run-in-process.ts'

// save and load as a user types them.

let katman: TestProgram
let registry: RegistryServer
let name: string
let index: string
let stores = 0

beforeEach(async () => {
  katman = await openProgram()
  const storage = await openMemoryStorage()
  const entries = []
  for (const architecture of ['amd64', 'arm64', 'riscv64']) {
    const { manifest } = await addImage(storage, { config: { architecture } })
    entries.push({ ...manifest, platform: { ...platform, architecture } })
  }
  index = (await addIndex(storage, entries, 'three')).digest
  registry = await serveRegistry({ storage })
  name = `${registry.host}/team/app:three`
  await succeed('pull', '-q', '--platform', 'all', name)
})
afterEach(async () => {
  await registry.close()
  await katman[Symbol.asyncDispose]()
})

const file = (own: string): string => path.join(katman.folder, own)

async function succeed(...words: readonly string[]): Promise<string> {
  const result = await katman.run(...words)
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0, stderr: '' })
  return result.stdout
}

/** Loads into a store of its own; what it says, and the architectures that are there then. */
async function load(...words: readonly string[]): Promise<readonly [string, readonly string[]]> {
  const root = file(`store-${stores++}`)
  const said = await succeed('--root', root, 'load', ...words)
  expect(await succeed('--root', root, 'fsck', '--hash')).toMatch(/clean\n$/)
  await using store = await openStore({ root, workers: 0 })
  const found = (await store.images()).map((image) => image.platform.architecture)
  return [said, found.toSorted()]
}

describe('save and load', () => {
  it('keep every platform, or those that --platform names', async () => {
    const said = `Loaded image: ${name}\n`
    await succeed('save', '-o', file('all.tar'), name)
    expect(await load('-i', file('all.tar'))).toEqual([said, ['amd64', 'arm64', 'riscv64']])
    expect(await load('--platform', 'linux/arm64', '-i', file('all.tar'))).toEqual([
      said,
      ['arm64'],
    ])
    const two = ['--platform', 'linux/arm64', '--platform', 'linux/riscv64']
    expect(await load(...two, '-i', file('all.tar'))).toEqual([said, ['arm64', 'riscv64']])

    await succeed('save', '--platform', 'linux/arm64,linux/riscv64', '-o', file('two.tar'), name)
    expect(await load('-i', file('two.tar'))).toEqual([said, ['arm64', 'riscv64']])
    await succeed('save', '--platform', 'linux/riscv64', '-o', file('one.tar'), name)
    expect(await load('-i', file('one.tar'))).toEqual([said, ['riscv64']])
  })

  it('keep the digest of an index though some of its platforms are left out', async () => {
    await succeed('save', '--platform', 'linux/arm64,linux/amd64', '-o', file('two.tar'), name)
    const words = ['cp', `oci-archive:${file('two.tar')}`, `oci:${file('out')}:1`]
    expect((await katman.run(...words)).stdout).toBe(`${index}\n`)
  })

  it('refuse a platform that is not there, with those that are', async () => {
    await succeed('save', '-o', file('all.tar'), name)
    const nowhere = ['--root', file('nowhere')]
    for (const words of [
      ['save', '--platform', 'linux/s390x', '-o', file('none.tar'), name],
      [...nowhere, 'load', '--platform', 'linux/s390x', '-i', file('all.tar')],
    ]) {
      const { exitCode, stderr } = await katman.run(...words)
      expect(exitCode).toBe(1)
      expect(stderr).toContain('no matching manifest for linux/s390x')
      expect(stderr).toContain('available: linux/amd64, linux/arm64, linux/riscv64')
    }
    expect(existsSync(file('none.tar'))).toBe(false)
    expect(await succeed(...nowhere, 'images', '-q')).toBe('')

    await succeed('save', '--platform', 'linux/arm64', '-o', file('arm.tar'), name)
    const words = [...nowhere, 'load', '--platform', 'linux/amd64', '-i', file('arm.tar')]
    const refused = await katman.run(...words)
    expect(refused.stderr).toContain('available: linux/arm64')
    expect(await succeed(...nowhere, 'images', '-q')).toBe('')
    const bad = await katman.run('load', '--platform', 'a/b/c/d', '-i', file('all.tar'))
    expect(bad.stderr).toContain('cannot parse platform specifier')
  })

  it('read the folder of an OCI layout', async () => {
    await succeed('cp', '-q', `store:${name}`, `oci:${file('layout')}:three`)
    const [said, architectures] = await load('-i', file('layout'))
    expect(said.match(/^Loaded image ID: sha256:[0-9a-f]{64}$/gm)).toHaveLength(3)
    expect(architectures).toEqual(['amd64', 'arm64', 'riscv64'])
    const { exitCode, stderr } = await katman.run('load', '-i', katman.folder)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('is not an OCI image layout')
  })

  it.skipIf(!existsSync('/usr/bin/xz') || !existsSync('/usr/bin/bzip2'))(
    'read what xz and bzip2 packed',
    async () => {
      for (const program of ['xz', 'bzip2']) {
        await succeed('save', '-o', file('app.tar'), name)
        execFileSync(program, ['-k', '-f', file('app.tar')])
        const packed = file(program === 'xz' ? 'app.tar.xz' : 'app.tar.bz2')
        expect((await load('-i', packed))[0]).toBe(`Loaded image: ${name}\n`)
      }
    },
  )

  it('read a pipe that has a name, as a shell makes for <(…)', async () => {
    await succeed('save', '-o', file('app.tar'), name)
    execFileSync('/usr/bin/mkfifo', [file('pipe')])
    const writing = spawn('/bin/sh', ['-c', `cat '${file('app.tar')}' > '${file('pipe')}'`])
    expect((await load('-i', file('pipe')))[0]).toBe(`Loaded image: ${name}\n`)
    if (writing.exitCode === null) await once(writing, 'close')
  })

  it('name the images an archive has no names for', async () => {
    const id = (await succeed('images', '-q', '--no-trunc')).trim().split('\n')[0] ?? ''
    await succeed('save', '-o', file('unnamed.tar'), id)
    const [said] = await load('-i', file('unnamed.tar'))
    expect(said).toBe(`Loaded image ID: ${id}\n`)
  })
})

describe('save', () => {
  it('gives the same bytes for the same images, in this order, from any store', async () => {
    const hash = async (own: string, ...words: readonly string[]): Promise<string> => {
      await succeed(...words.slice(0, -2), 'save', '-o', file(own), ...words.slice(-2))
      return createHash('sha256')
        .update(await readFile(file(own)))
        .digest('hex')
    }
    await succeed('tag', name, 'other:2')
    await succeed('tag', name, 'other:1')
    const once = await hash('once.tar', name, 'other')
    expect(await hash('again.tar', name, 'other')).toBe(once)
    const turned = await hash('turned.tar', 'other', name)
    expect(await hash('turned-again.tar', 'other', name)).toBe(turned)
    // A store that got them another way, in another order.
    const other = ['--root', file('other')]
    await succeed(...other, 'load', '-i', file('turned.tar'))
    expect(await hash('other.tar', ...other, name, 'other')).toBe(once)
  })
})
