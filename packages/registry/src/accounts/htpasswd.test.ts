import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { hash } from 'bcryptjs'
import { describe, expect, it } from 'vitest'
import type { Action, Gate } from '../access.ts'
import { basic } from '../../test/accounts.ts'
import type { HtpasswdOptions } from './access-options.ts'
import { createHtpasswdGate } from './htpasswd.ts'

interface Opened extends AsyncDisposable {
  readonly gate: Gate
  readonly file: string
  readonly warnings: readonly string[]
  wait(milliseconds: number): void
  /** 200, or the status of the refusal. */
  readonly status: (
    user: string | undefined,
    password?: string,
    action?: Action,
    name?: string,
  ) => Promise<number>
}

async function open(more: Partial<HtpasswdOptions> = {}): Promise<Opened> {
  const folder = await mkdtemp(path.join(tmpdir(), 'katman-htpasswd-'))
  const file = path.join(folder, 'users')
  await writeFile(
    file,
    `# people\nayse:${await hash('parola', 4)}\n\nold:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nplain:plain\n`,
  )
  const warnings: string[] = []
  let now = 0
  const gate = await createHtpasswdGate(
    { file, ...more },
    { now: () => now, warn: (line) => warnings.push(line) },
  )
  return {
    gate,
    file,
    warnings,
    wait(milliseconds) {
      now += milliseconds
    },
    async status(user, password = '', action = 'pull', name = 'team/app') {
      const authorization = user === undefined ? undefined : basic(user, password)
      const request = {
        method: 'GET',
        path: '/v2/',
        query: new URLSearchParams(),
        header: (header: string) => (header === 'authorization' ? authorization : undefined),
        body: (async function* nothing(): AsyncGenerator<Uint8Array> {})(),
      }
      try {
        await gate.admit(request, { repository: name, actions: [action] })
        return 200
      } catch (error) {
        return Number(Reflect.get(Object(error), 'status'))
      }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

describe('an htpasswd file', () => {
  it('lets its users in whose hash is bcrypt, and says which do not count', async () => {
    await using opened = await open()
    const { status } = opened
    expect(await status('ayse', 'parola', 'push')).toBe(200)
    for (const [user, password] of [
      ['ayse', 'wrong'],
      ['ayse', ''],
      ['nobody', 'parola'],
      ['old', 'password'],
      ['plain', 'plain'],
      [undefined, ''],
    ] as const) {
      expect(await status(user, password), user).toBe(401)
    }
    expect(opened.warnings).toEqual([
      'htpasswd: line 4 has no bcrypt hash and does not count',
      'htpasswd: line 5 has no bcrypt hash and does not count',
    ])
  })

  it('counts as it is, a moment after it changed', async () => {
    await using opened = await open()
    const { status, file } = opened
    expect(await status('ayse', 'parola')).toBe(200)
    await appendFile(file, `baris:${await hash('yeni', 4)}\n`)
    opened.wait(1000)
    expect(await status('baris', 'yeni')).toBe(200)
    await writeFile(file, `ayse:${await hash('another', 4)}\n`)
    opened.wait(1000)
    expect([await status('ayse', 'parola'), await status('baris', 'yeni')]).toEqual([401, 401])
    await rm(file)
    opened.wait(1000)
    expect(await status('ayse', 'another')).toBe(200)
    expect(opened.warnings.at(-1)).toContain('the users of before stay')
  })

  it('follows its rules', async () => {
    const rules = [
      { users: ['anonymous'], repositories: 'open/*', actions: ['pull'] },
      { users: ['everyone'], repositories: 'team/*', actions: ['pull'] },
      { users: ['ayse'], repositories: 'team/app', actions: ['push'] },
    ] as const
    await using opened = await open({ rules })
    const { status } = opened
    expect(await status(undefined, '', 'pull', 'open/app')).toBe(200)
    expect(await status(undefined, '', 'pull', 'team/app')).toBe(401)
    expect(await status('ayse', 'parola', 'push', 'team/app')).toBe(200)
    expect(await status('ayse', 'parola', 'push', 'team/other')).toBe(403)
    expect(await status('ayse', 'parola', 'delete', 'team/app')).toBe(403)
  })

  it('must be there at the start', async () => {
    await expect(open({ file: '/nowhere/users' })).rejects.toMatchObject({
      code: 'REGISTRY_CONFIG_INVALID',
    })
  })
})
