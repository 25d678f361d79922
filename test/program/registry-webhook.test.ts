import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '@katman/registry'
import { openProgram, type TestProgram } from './run-in-process.ts'

let katman: TestProgram
let server: RunningServer
let receiver: Server
let host: string
let url: string
let taken: number

beforeEach(async () => {
  taken = 0
  receiver = createServer((request, response) => {
    taken += 1
    request.resume()
    response.writeHead(request.url === '/hook' ? 204 : 500).end()
  })
  receiver.listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  const address = receiver.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  url = `http://127.0.0.1:${address.port}`
  katman = await openProgram()
  server = await startServer(
    {
      registry: { outbound: { allow: ['127.0.0.1'] } },
      listen: { host: '127.0.0.1', port: 0 },
      version: 'test',
    },
    { log: () => undefined, warn: () => undefined },
  )
  host = `127.0.0.1:${server.address.port}`
  const { firstRun } = server
  if (firstRun === undefined) throw new Error('no first administrator')
  await katman.runWith(
    { stdin: firstRun.token },
    'login',
    '-u',
    firstRun.account,
    '--password-stdin',
    host,
  )
})
afterEach(async () => {
  await server.stop()
  receiver.closeAllConnections()
  receiver.close()
  await katman[Symbol.asyncDispose]()
})

describe('registry webhook', () => {
  it('is made, tried, listed, disabled and removed', async () => {
    const run = (...words: readonly string[]) => katman.run('registry', 'webhook', ...words)
    const made = await run('create', '--type', 'tag.moved', host, `${url}/hook`)
    expect(made.exitCode).toBe(0)
    expect(made.stdout).toMatch(/^whsec_\S+\n$/)
    const [, id = ''] = /^webhook (\S+)$/m.exec(made.stderr) ?? []
    const listed = await run('ls', host)
    expect(listed.stdout).toContain(`${id}   yes       **             tag.moved   ${url}/hook`)
    const tested = await run('test', host, id)
    expect(tested.stdout).toMatch(/^delivered: status 204 in \d+ ms\n$/)
    expect(taken).toBe(1)
    const log = await run('log', host, id)
    expect(log.stdout).toMatch(/webhook\.tested +delivered +1 +204 /)
    expect(await run('set', '--disabled', host, id)).toMatchObject({ stdout: `${id}\n` })
    expect((await run('ls', '--format', '{{.Enabled}}', host)).stdout).toBe('no\n')
    expect(await run('rm', host, id)).toMatchObject({ stdout: `${id}\n` })
    expect((await run('ls', '-q', host)).stdout).toBe('')
  })

  it('says what a receiver answered that does not take its messages', async () => {
    const run = (...words: readonly string[]) => katman.run('registry', 'webhook', ...words)
    const { stderr } = await run('create', host, `${url}/other`)
    const [, id = ''] = /^webhook (\S+)$/m.exec(stderr) ?? []
    expect(await run('test', host, id)).toMatchObject({
      exitCode: 1,
      stderr: 'the message was not taken: status 500\n',
    })
    expect(await run('create', host, 'nowhere')).toMatchObject({
      exitCode: 1,
      stderr: 'url is no address of http or https\n',
    })
  })
})
