import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '@katman/registry'
import { openProgram, type TestProgram } from './run-in-process.ts'

let katman: TestProgram
let server: RunningServer
let host: string

beforeEach(async () => {
  katman = await openProgram()
  server = await startServer(
    { registry: {}, listen: { host: '127.0.0.1', port: 0 }, version: 'test' },
    { log: () => undefined, warn: () => undefined },
  )
  host = `127.0.0.1:${server.address.port}`
  const { firstRun } = server
  if (firstRun === undefined) throw new Error('no first administrator')
  await logIn(firstRun.account, firstRun.token)
})
afterEach(async () => {
  await server.stop()
  await katman[Symbol.asyncDispose]()
})

async function logIn(user: string, password: string): Promise<void> {
  const words = ['login', '-u', user, '--password-stdin', host]
  expect(await katman.runWith({ stdin: password }, ...words)).toMatchObject({
    stdout: 'Login Succeeded\n',
    exitCode: 0,
  })
}

/** Runs `registry …`; it must succeed. */
async function registry(...words: readonly string[]): Promise<string> {
  const result = await katman.run('registry', ...words)
  expect(result, words.join(' ')).toMatchObject({ exitCode: 0 })
  return result.stdout
}

async function addAccount(name: string, password: string): Promise<void> {
  const words = ['registry', 'account', 'create', '--password-stdin', host, name]
  expect(await katman.runWith({ stdin: `${password}\n` }, ...words)).toMatchObject({
    stdout: `${name}\n`,
    exitCode: 0,
  })
}

describe('registry account, namespace, robot, token, grant, audit', () => {
  it('set up a team from the first start on', async () => {
    await addAccount('ayse', 'correct horse')
    await addAccount('baris', 'battery staple')
    const accounts = await registry('account', 'ls', host)
    expect(accounts.split('\n')[0]).toMatch(/^NAME +ADMIN +DISABLED +LOGIN +CREATED +DESCRIPTION$/)
    expect(accounts).toMatch(/\nadmin +yes +no +token .* First administrator\n/)
    expect(accounts).toMatch(/\nayse +no +no +password /)

    await registry('namespace', 'create', '--owner', 'ayse', host, 'team')
    await logIn('ayse', 'correct horse')
    await registry('namespace', 'add', '--role', 'guest', host, 'team', 'baris')
    expect(await registry('namespace', 'members', host, 'team')).toBe(
      'ACCOUNT   ROLE\nayse      owner\nbaris     guest\n',
    )
    const grant = ['--grant', 'team/*:pull,push', '--expires', '90d']
    const robot = await katman.run('registry', 'robot', 'create', ...grant, host, 'team+ci')
    expect(robot.stdout).toMatch(/^kat_[0-9A-Za-z]{38}\n$/)
    expect(robot.stderr).toBe('This token is shown only now:\n')
    expect(
      await registry('grant', 'ls', '--format', '{{.Subject}} {{.Repository}} {{.Actions}}', host),
    ).toBe('team+ci team/* pull,push\n')
    expect(await registry('robot', 'ls', '-q', host, 'team')).toBe('team+ci\n')
    expect(await registry('visibility', host, 'team/app', 'public')).toBe('public\n')
    await registry('namespace', 'remove', host, 'team', 'baris')

    const token = await registry('token', 'create', '--scope', 'team/**:pull', host, 'laptop')
    expect(await registry('token', 'ls', '--format', '{{.Name}} {{.Scopes}}', host)).toBe(
      'laptop team/**:pull\n',
    )
    await logIn('ayse', token.trim())
    expect(await katman.run('registry', 'robot', 'ls', host, 'team')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('requested access to the resource is denied'),
    })
    await logIn('team+ci', robot.stdout.trim())
  })

  it('change passwords: anybody’s as administrator, one’s own with the one of now', async () => {
    await addAccount('ayse', 'correct horse')
    const words = ['registry', 'account', 'password', '--password-stdin', host]
    const change = async (stdin: string, ...name: readonly string[]): Promise<number> =>
      (await katman.runWith({ stdin }, ...words, ...name)).exitCode
    expect(await change('battery staple\n', 'ayse')).toBe(0)
    await logIn('ayse', 'battery staple')
    expect(await change('another one\n')).toBe(1)
    expect(await change('wrong one\nanother one\n')).toBe(1)
    expect(await change('battery staple\nanother one\n')).toBe(0)
    await logIn('ayse', 'another one')
  })

  it('say what is wrong, and how to log in', async () => {
    expect(await katman.run('registry', 'account', 'rm', host, 'nobody')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('there is no such account'),
    })
    expect(await katman.run('registry', 'grant', 'create', host, 'everyone', 'team')).toMatchObject(
      {
        exitCode: 1,
        stderr: expect.stringContaining("'team' is no scope"),
      },
    )
    await katman.run('logout', host)
    expect(await katman.run('registry', 'account', 'ls', host)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`katman login ${host}`),
    })
  })

  it('show and cut the audit log', async () => {
    await addAccount('ayse', 'correct horse')
    await registry('account', 'set', '--disabled', host, 'ayse')
    await registry('account', 'rm', host, 'ayse')
    const format = '{{.Actor}} {{.Action}} {{.Target}} {{.Result}}'
    expect(await registry('audit', 'ls', '--action', 'account', '--format', format, host)).toBe(
      'admin account.delete ayse done\nadmin account.change ayse done\nadmin account.create ayse done\n- account.create admin done\n',
    )
    expect(await registry('audit', 'ls', '--since', '1h', '--limit', '1', host)).toMatch(
      /^ID +AT +ACTOR +CLIENT +ACTION +TARGET +RESULT +DETAIL\n\d+ +\S+ \S+ +admin +127\.0\.0\.1 +account\.delete/,
    )
    expect(await registry('audit', 'prune', '--until', '0s', host)).toMatch(
      /^Removed entries: \d+\n$/,
    )
  })
})
