import { createHash } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { tarBytes } from '@katman/layer'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openProgram, type ProgramResult, type TestProgram } from '../program/run-in-process.ts'

let katman: TestProgram
beforeEach(async () => {
  katman = await openProgram()
  // Its own: in the system's folder other runs come and go.
  await mkdir(file('tmp'))
  vi.stubEnv('TMPDIR', file('tmp'))
  await writeFile(file('files.tar'), files)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await katman[Symbol.asyncDispose]()
})

const files = tarBytes([{ name: 'etc/hello', content: 'hello\n' }])
const file = (name: string): string => path.join(katman.folder, name)
const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

async function succeed(...words: readonly string[]): Promise<string> {
  const result = await katman.run(...words)
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0, stderr: '' })
  return result.stdout
}

describe('import', () => {
  it('makes an image of one layer and prints its id', async () => {
    const change = ['-c', 'ENV A=1', '-c', 'CMD ["/bin/sh"]', '-m', 'by hand']
    const id = await succeed('import', ...change, file('files.tar'), 'app:1')
    expect(id).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    const format =
      '{{.Id}} {{json .Config.Env}} {{json .Config.Cmd}} {{.Comment}} {{.Created}} {{json .RootFS.Layers}}'
    expect(await succeed('inspect', '-f', format, 'app:1')).toBe(
      `${id.trim()} ["A=1"] ["/bin/sh"] by hand 2026-02-03T04:05:06Z ["${sha256(files)}"]\n`,
    )
    expect(await succeed('layers', '--files', 'app:1')).toContain('etc/hello')
    expect(await succeed('fsck', '--hash')).toMatch(/clean\n$/)
  })

  it('gives the same image for the same time', async () => {
    const env = { SOURCE_DATE_EPOCH: '1700000000' }
    const once = await katman.runWith({ env }, 'import', file('files.tar'))
    const root = ['--root', file('other')]
    const again = await katman.runWith({ env }, ...root, 'import', file('files.tar'))
    expect(again).toEqual(once)
    const created = await succeed('inspect', '-f', '{{.Created}} {{.Comment}}', once.stdout.trim())
    expect(created).toBe('2023-11-14T22:13:20Z Imported from -\n')
  })

  it('keeps the bytes of a layer that is packed as layers are', async () => {
    for (const packed of [gzipSync(files), zstdCompressSync(files)]) {
      await writeFile(file('packed.tar'), packed)
      await succeed('import', file('packed.tar'), 'app:packed')
      await succeed('cp', '-q', 'store:app:packed', `oci:${file('layout')}:1`)
      const blobs = await readdir(file('layout/blobs/sha256'))
      expect(blobs).toContain(sha256(packed).slice('sha256:'.length))
      expect(await succeed('inspect', '-f', '{{index .RootFS.Layers 0}}', 'app:packed')).toBe(
        `${sha256(files)}\n`,
      )
    }
  })

  it('makes an image without files of an empty file, as docker 28 does', async () => {
    await writeFile(file('empty.tar'), '')
    await succeed('import', file('empty.tar'), 'app:empty')
    expect(await succeed('inspect', '-f', '{{json .RootFS.Layers}}', 'app:empty')).toBe(
      `["${sha256(Buffer.alloc(0))}"]\n`,
    )
  })

  it('takes the platform that is asked for', async () => {
    await succeed('import', '--platform', 'linux/arm/v7', file('files.tar'), 'app:arm')
    const shown = await succeed(
      'inspect',
      '-f',
      '{{.Os}}/{{.Architecture}}/{{.Variant}}',
      'app:arm',
    )
    expect(shown).toBe('linux/arm/v7\n')
  })

  it('reads a URL, and passes on what its server says when it refuses', async () => {
    await using server = await serveFiles()
    const url = `http://127.0.0.1:${server.port}/files.tar`
    const said = await succeed('import', url, 'app:url')
    expect(said).toMatch(new RegExp(`^Downloading from ${url}\nsha256:[0-9a-f]{64}\n$`))
    expect(await succeed('inspect', '-f', '{{.Comment}}', 'app:url')).toBe(`Imported from ${url}\n`)
    await refused(
      `${url}.nope`,
      `failed to GET ${url}.nope with status 404 Not Found: nothing here`,
    )
    await refused(`http://127.0.0.1:${server.port}/cut`, 'EOF')
  })

  it('sends the password of a URL and shows it nowhere', async () => {
    await using server = await serveFiles()
    const at = `127.0.0.1:${server.port}`
    const secret = `http://user:s%40cret@${at}/files.tar?token=s%40cret`
    const said = await succeed('import', secret, 'app:url')
    expect(said).toMatch(new RegExp(`^Downloading from http://${at}/files.tar\nsha256:`))
    expect(server.authorizations).toEqual([
      `Basic ${Buffer.from('user:s@cret').toString('base64')}`,
    ])
    const kept = await succeed('inspect', 'app:url')
    expect(kept).toContain(`Imported from http://${at}/files.tar`)
    expect(kept + (await succeed('history', '--no-trunc', 'app:url'))).not.toContain('cret')
    for (const bad of [
      `http://user:secret@${at}/nope?token=secret`,
      `http://us%er:secret@${at}/files.tar`,
      `http://user:%secret@${at}/files.tar`,
      'http://user:secret/x@registry.example/files.tar',
      'http://user:secret@',
    ]) {
      const { stderr, stdout } = await refused(bad, '')
      expect(stdout + stderr).not.toMatch(/secret|URI malformed/)
    }
  })

  it.each([
    ['nothing of the name', ['/nope.tar'], 'open /nope.tar: no such file or directory'],
    ['a folder', ['/tmp'], 'read /tmp: is a directory'],
    ['a digest', ['FILE', `app@sha256:${'a'.repeat(64)}`], 'cannot import digest reference'],
    ['a bad name', ['FILE', 'UPPER'], 'must be lowercase'],
    ['other instructions', ['-c', 'RUN x', 'FILE'], 'run is not a valid change command'],
    ['a bad platform', ['--platform', 'a/b/c/d', 'FILE'], 'cannot parse platform specifier'],
  ])('refuses %s as docker does', async (_, words, message) => {
    const { exitCode, stderr } = await katman.run(
      'import',
      ...words.map((word) => (word === 'FILE' ? file('files.tar') : word)),
    )
    expect(exitCode).toBe(1)
    expect(stderr).toContain(message)
  })

  it.each([
    ['no archive', Buffer.from('x'.repeat(2000))],
    ['a cut archive', files.subarray(0, 700)],
    ['a path that leaves it', tarBytes([{ name: '../evil', content: 'x' }])],
    ['cut gzip', gzipSync(files).subarray(0, 60)],
    ['junk behind gzip', Buffer.concat([gzipSync(files), Buffer.from('junk')])],
  ])('stores nothing of %s', async (_, bytes) => {
    await writeFile(file('bad.tar'), bytes)
    expect(await refused(file('bad.tar'), '')).toMatchObject({ exitCode: 1, stdout: '' })
    expect(await succeed('images', '-aq')).toBe('')
    await succeed('gc', '--min-age', '0s')
    expect(await succeed('fsck', '--hash')).toMatch(/^1 file checked, clean\n$/)
    expect(await readdir(file('tmp'))).toEqual([])
  })
})

async function refused(from: string, message: string): Promise<ProgramResult> {
  const result = await katman.run('import', from)
  expect(result.exitCode).toBe(1)
  expect(result.stderr).toMatch(/^Error response from daemon: /)
  expect(result.stderr).toContain(message)
  return result
}

interface Served extends AsyncDisposable {
  readonly port: number
  /** What came in the header of that name. */
  readonly authorizations: readonly string[]
}

async function serveFiles(): Promise<Served> {
  const authorizations: string[] = []
  const server: Server = createServer((request, response) => {
    const { authorization } = request.headers
    if (authorization !== undefined) authorizations.push(authorization)
    if (request.url?.split('?')[0] === '/files.tar') response.end(files)
    else if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': '9000' })
      response.write(files, () => response.destroy())
    } else {
      response.writeHead(404)
      response.end('nothing here')
    }
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    authorizations,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}
