import { execFileSync, spawnSync } from 'node:child_process'
import {
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  linkSync,
  mkdirSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { readTar } from '../test/read-tar.ts'
import type { TarEntry } from './tar-entry.ts'
import { tarBytes, type TarInput } from './tar-writer.ts'

const version = spawnSync('tar', ['--version'], { encoding: 'utf8' })
const hasGnuTar = version.status === 0 && version.stdout.includes('GNU tar')
const folder = mkdtempSync(path.join(tmpdir(), 'katman-gnu-tar-'))
afterAll(() => rmSync(folder, { recursive: true }))

const letters: Readonly<Record<TarEntry['type'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  hardlink: 'h',
  character: 'c',
  block: 'b',
  fifo: 'p',
}

/** What GNU tar lists: type letter, size and name of each entry. */
function gnuList(archive: string): string[] {
  const text = execFileSync(
    'tar',
    ['-tvf', archive, '--quoting-style=escape', '--numeric-owner', '--full-time'],
    {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  return text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, letter, size, name] =
        /^(.)\S+ +\S+ +([\d,]+) \S+ \S+ (.*?)(?: -> .*| link to .*)?$/.exec(line) ?? []
      return `${letter} ${size} ${name}`
    })
}

function ourList(archive: Uint8Array): string[] {
  return readTar(archive).map((entry) => {
    const device = entry.type === 'character' || entry.type === 'block'
    const size = device ? `${entry.devMajor},${entry.devMinor}` : entry.size
    return `${letters[entry.type]} ${size} ${entry.name}`
  })
}

describe.skipIf(!hasGnuTar)('createTarReader beside GNU tar', () => {
  it('lists generated archives the same', () => {
    const name = fc
      .array(fc.stringMatching(/^[a-zA-Z0-9_.-]{1,60}$/), { minLength: 1, maxLength: 5 })
      .map((parts) => parts.join('/'))
    const input: fc.Arbitrary<TarInput> = fc.record({
      name,
      type: fc.constantFrom(
        'file',
        'directory',
        'symlink',
        'hardlink',
        'fifo',
        'character',
        'block',
      ),
      uid: fc.nat(2 ** 32 - 2),
      mtime: fc.integer({ min: -1_000_000, max: 4_000_000_000 }),
      linkname: name,
      devMajor: fc.integer({ min: 1, max: 4095 }),
      devMinor: fc.nat(1_048_575),
      content: fc.uint8Array({ maxLength: 2000 }),
    })
    const file = path.join(folder, 'generated.tar')
    fc.assert(
      fc.property(fc.array(input, { minLength: 1, maxLength: 20 }), (inputs) => {
        const archive = tarBytes(inputs)
        writeFileSync(file, archive)
        expect(ourList(archive)).toEqual(gnuList(file))
      }),
      { numRuns: 30 },
    )
  })

  it.each(['v7', 'ustar', 'oldgnu', 'gnu', 'posix'])('reads its %s archives', (format) => {
    const source = path.join(folder, format)
    mkdirSync(path.join(source, 'dir'), { recursive: true })
    const names = format === 'v7' ? ['dir/a'] : ['dir/a', `dir/${'n'.repeat(90)}`]
    if (format.endsWith('gnu') || format === 'posix')
      names.push(`dir/${'long'.repeat(50)}`, 'dir/ğ')
    for (const name of names) writeFileSync(path.join(source, name), name.repeat(40))
    symlinkSync('/absolute/target', path.join(source, 'dir/link'))
    linkSync(path.join(source, 'dir/a'), path.join(source, 'dir/hard'))
    const file = path.join(folder, `${format}.tar`)
    execFileSync('tar', ['--format', format, '--sort=name', '-cf', file, '-C', source, '.'])
    const archive = execFileSync('cat', [file])
    const entries = readTar(archive)
    expect(entries).toHaveLength(names.length + 4)
    expect(entries.map((entry) => entry.name)).toEqual(
      execFileSync('tar', ['-tf', file, '--quoting-style=literal'], { encoding: 'utf8' })
        .trimEnd()
        .split('\n'),
    )
  })

  it.each(['0.0', '0.1', '1.0'])('reads its sparse files of format %s', (sparseVersion) => {
    const holes = path.join(folder, 'holes')
    writeFileSync(holes, 'start')
    truncateSync(holes, 10_000_000)
    const file = path.join(folder, `sparse-${sparseVersion}.tar`)
    execFileSync('tar', [
      '--format=posix',
      '-S',
      `--sparse-version=${sparseVersion}`,
      '-cf',
      file,
      '-C',
      folder,
      'holes',
    ])
    const [entry] = readTar(execFileSync('cat', [file]))
    expect(entry).toMatchObject({
      name: sparseVersion === '0.0' ? expect.stringContaining('holes') : 'holes',
      size: 10_000_000,
    })
    expect(entry?.sparse?.slice(0, 1)).toEqual([0])
    expect(entry?.storedSize).toBeLessThan(100_000)
  })
})
