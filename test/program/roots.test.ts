import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Finished, startKatman } from '../reliability/program.ts'

// Places where no store can be, for a user without special rights: this one, or as root a user of the test's own.

const isRoot = process.getuid?.() === 0
const user = isRoot ? 65_534 : undefined
let folder: string
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'katman-roots-'))
  if (user !== undefined) fs.chownSync(folder, user, user)
})
afterEach(() => {
  fs.chmodSync(folder, 0o700)
  fs.rmSync(folder, { recursive: true, force: true })
})

function images(env: Readonly<Record<string, string | undefined>>): Promise<Finished> {
  const usual = { HOME: folder, KATMAN_ROOT: undefined, DOCKER_CONFIG: undefined }
  return startKatman(folder, ['images'], {
    env: { ...usual, XDG_DATA_HOME: undefined, ...env },
    ...(user === undefined ? {} : { user }),
  }).finished
}

const failure = (stderr: string) => ({ exitCode: 1, stdout: '', stderr })

describe('katman without a place for its store', () => {
  it('uses a folder of the home directory', async () => {
    const { exitCode, stdout } = await images({})
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n',
    })
    const { mode } = fs.statSync(path.join(folder, '.local/share/katman'))
    expect((mode & 0o777).toString(8)).toBe('700')
  })

  it('says so when it may not write there', async () => {
    fs.chmodSync(folder, 0o500)
    expect(await images({})).toMatchObject(
      failure(
        `permission denied: ${path.join(folder, '.local')}\nhint: use a store of your own with --root or KATMAN_ROOT\n`,
      ),
    )
  })

  it("refuses another user's folder", async () => {
    expect(await images({ KATMAN_ROOT: '/usr' })).toMatchObject(
      failure(
        `the store /usr belongs to user 0, not to ${user ?? process.getuid?.()}\nhint: use a store of your own with --root or KATMAN_ROOT\n`,
      ),
    )
  })

  it('says where it would be without a home directory', async () => {
    const { exitCode, stderr } = await images({ HOME: undefined })
    expect(exitCode).toBe(1)
    expect(stderr).toBe(
      'permission denied: /.local\nhint: use a store of your own with --root or KATMAN_ROOT\n',
    )
  })

  it('refuses a folder of other things, and a file', async () => {
    fs.writeFileSync(path.join(folder, 'letter'), 'dear')
    expect(await images({ KATMAN_ROOT: folder })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('it holds something else: "letter"') as string,
    })
    expect(await images({ KATMAN_ROOT: path.join(folder, 'letter') })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('it is not a folder') as string,
    })
    expect(fs.readdirSync(folder)).toEqual(['letter'])
  })

  it('refuses a store that others can look into', async () => {
    const root = path.join(folder, 'store')
    await images({ KATMAN_ROOT: root })
    fs.chmodSync(root, 0o755)
    expect(await images({ KATMAN_ROOT: root })).toMatchObject(
      failure(
        `the store ${root} is open to other users (mode 0755)\nhint: close it with: chmod 700 ${root}\n`,
      ),
    )
  })
})
