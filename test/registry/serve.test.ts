import { createHash, randomBytes } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import path from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { type Ended, type LogLine, serve, serveFailing, withFolder } from './serve-program.ts'

const fixtures = path.join(import.meta.dirname, 'fixtures')

async function pushBlob(url: string, repository: string, bytes: Buffer): Promise<Response> {
  return fetch(`${url}/v2/${repository}/blobs/uploads/?digest=${digestOf(bytes)}`, {
    method: 'POST',
    body: new Uint8Array(bytes),
  })
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

describe('katman registry serve', () => {
  it('answers, logs each request as one JSON line, and ends with 0', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder])
      const response = await fetch(`${server.url}/v2/team/app/tags/list?n=5&token=secret`, {
        headers: { 'x-request-id': 'mine-1', 'user-agent': 'tester "1"' },
      })
      expect(response.status).toBe(404)
      expect(response.headers.get('x-request-id')).toBe('mine-1')
      const line = await server.line(({ id }) => id === 'mine-1')
      expect(line).toMatchObject({
        level: 'info',
        method: 'GET',
        path: '/v2/team/app/tags/list',
        status: 404,
        received: 0,
        client: '127.0.0.1',
        repository: 'team/app',
        agent: 'tester "1"',
      })
      expect(line['sent']).toBe((await response.text()).length)
      expect(JSON.stringify(line)).not.toContain('secret')
      expect(await (await fetch(`${server.url}/healthz`)).json()).toEqual({ status: 'ok' })
      expect(await (await fetch(`${server.url}/readyz`)).json()).toEqual({ status: 'ready' })
      server.child.kill('SIGTERM')
      expect(await server.ended).toMatchObject({ exitCode: 0, stderr: '' })
    })
  })

  it('shows the token of the first administrator once, and not in its log', async () => {
    await withFolder(async (folder) => {
      const words = ['--data', folder, '--listen', '127.0.0.1:0']
      const first = await startAndStop(words)
      const token = /token {2}(\S+)\n/.exec(first.stderr)?.[1] ?? ''
      expect(token).not.toBe('')
      expect(first.stdout).not.toContain(token)
      expect(await startAndStop(words)).toMatchObject({ exitCode: 0, stderr: '' })
    })
  })

  it('names the account in the log, and never what it showed', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--open=false'])
      const token = await server.errorOutput(/token {2}(\S+)\n/)
      const authorization = `Basic ${Buffer.from(`admin:${token}`).toString('base64')}`
      const headers = { authorization, 'x-request-id': 'named' }
      await fetch(`${server.url}/v2/_catalog`, { headers })
      const line = await server.line(({ id }) => id === 'named')
      expect(line).toMatchObject({ account: 'admin' })
      expect(JSON.stringify(server.lines())).not.toContain(token)
    })
  })

  it('asks for credentials unless it is open', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--open=false'])
      const response = await fetch(`${server.url}/v2/`)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toContain(`realm="${server.url}/token"`)
    })
  })

  it('adds up what all its threads counted', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--threads', '2'])
      const agents = Array.from({ length: 24 }, () => new http.Agent())
      await Promise.all(agents.map((agent) => get(`${server.url}/v2/`, { agent })))
      // Two threads make ids of two kinds: both have answered.
      await expect
        .poll(
          () => new Set(requests(server.lines()).map(({ id }) => String(id).split('-')[0])).size,
        )
        .toBe(2)
      const metrics = await (await fetch(`${server.url}/metrics`)).text()
      expect(metrics).toContain(
        'katman_registry_requests_total{method="GET",route="base",status="200"} 24\n',
      )
      expect(metrics).toContain('katman_registry_threads 2\n')
      for (const agent of agents) agent.destroy()
    })
  })

  it('goes on with an upload in whichever thread the next request comes to', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--threads', '2'])
      const parts = Array.from({ length: 6 }, () => randomBytes(200_000))
      for (let round = 0; round < 5; round++) {
        const begun = await fetch(`${server.url}/v2/team/app/blobs/uploads/`, { method: 'POST' })
        let target = begun.headers.get('location') ?? ''
        for (const part of parts) {
          // A connection each: the kernel chooses the thread.
          const sent = await send(server.url + target, 'PATCH', part)
          expect(sent.status).toBe(202)
          target = sent.location
        }
        const whole = Buffer.concat(parts)
        const end = `${target}?digest=${digestOf(whole)}`
        expect((await send(server.url + end, 'PUT', Buffer.alloc(0))).status).toBe(201)
      }
      const threads = requests(server.lines())
        .filter(({ method }) => method === 'PATCH')
        .map(({ id }) => String(id).split('-')[0])
      expect(new Set(threads).size).toBe(2)
    })
  })

  it('finishes a running upload when it is told to stop, and takes no other', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder])
      const bytes = randomBytes(300_000)
      const upload = openUpload(server.url, bytes)
      await upload.write(bytes.subarray(0, 100_000))
      await expect.poll(async () => metric(server.url, 'katman_registry_requests_running')).toBe(2)
      server.child.kill('SIGTERM')
      await server.line(({ message }) => message === 'stopping')
      await expect
        .poll(async () => fetch(`${server.url}/v2/`).catch(() => 'refused'))
        .toBe('refused')
      upload.end(bytes.subarray(100_000))
      expect(await upload.status).toBe(201)
      expect(await server.ended).toMatchObject({ exitCode: 0 })

      await using again = await serve(['--data', folder])
      const found = await fetch(`${again.url}/v2/team/app/blobs/${digestOf(bytes)}`)
      expect(Buffer.from(await found.arrayBuffer()).equals(bytes)).toBe(true)
    })
  })

  it('does not wait for those who listen to events', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder])
      const feed = await fetch(`${server.url}/api/v1/events`)
      expect(feed.headers.get('content-type')).toContain('text/event-stream')
      server.child.kill('SIGTERM')
      expect(await feed.text()).toContain('retry: ')
      expect(await server.ended).toMatchObject({ exitCode: 0 })
    })
  })

  it('cuts what is not finished at the limit, and at once when it is told twice', async () => {
    await withFolder(async (folder) => {
      await using patient = await serve(['--data', folder, '--stop-timeout', '100ms'])
      const bytes = randomBytes(300_000)
      const upload = openUpload(patient.url, bytes)
      await upload.write(bytes.subarray(0, 100_000))
      await expect.poll(async () => metric(patient.url, 'katman_registry_requests_running')).toBe(2)
      patient.child.kill('SIGTERM')
      expect(await patient.ended).toMatchObject({ exitCode: 0 })
      expect(await upload.status).toBe('cut')

      await using server = await serve(['--data', folder])
      const other = openUpload(server.url, bytes)
      await other.write(bytes.subarray(0, 100_000))
      await expect.poll(async () => metric(server.url, 'katman_registry_requests_running')).toBe(2)
      server.child.kill('SIGTERM')
      await server.line(({ message }) => message === 'stopping')
      server.child.kill('SIGTERM')
      expect(await server.ended).toMatchObject({ exitCode: 143 })
      expect(await other.status).toBe('cut')
    })
  })

  it('goes on taking requests for a while when asked to, and says that it will not', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--stop-delay', '1m'])
      server.child.kill('SIGTERM')
      await server.line(({ message }) => message === 'stopping')
      await expect.poll(async () => (await fetch(`${server.url}/readyz`)).status).toBe(503)
      expect((await fetch(`${server.url}/v2/`)).status).toBe(200)
    })
  })

  it('speaks TLS and takes a new certificate without a restart', async () => {
    await withFolder(async (folder) => {
      const [certificate, key] = [path.join(folder, 'tls.crt'), path.join(folder, 'tls.key')]
      const use = async (name: string): Promise<void> => {
        await copyFile(path.join(fixtures, `${name}.crt`), certificate)
        await copyFile(path.join(fixtures, `${name}.key`), key)
      }
      await use('first')
      const words = [
        '--data',
        path.join(folder, 'data'),
        '--tls-cert',
        certificate,
        '--tls-key',
        key,
      ]
      await using server = await serve([...words, '--threads', '2'])
      expect(server.url).toMatch(/^https:/)
      expect(await get(`${server.url}/v2/`, { agent: trusting(await readFile(certificate)) })).toBe(
        200,
      )
      expect(await subjectOf(server.url)).toBe('katman first')

      await writeFile(key, 'damaged')
      server.child.kill('SIGHUP')
      await server.line(({ level }) => level === 'error')
      expect(await subjectOf(server.url)).toBe('katman first')

      await use('second')
      server.child.kill('SIGHUP')
      await server.line(({ message }) => message === 'certificate read again')
      // Every thread has it, whichever takes the connection.
      const subjects = await Promise.all(Array.from({ length: 12 }, () => subjectOf(server.url)))
      expect(new Set(subjects)).toEqual(new Set(['katman second']))
    })
  })

  it('keeps metrics and health on an address of their own', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--metrics-listen', '127.0.0.1:0'])
      const line = await server.line(({ message }) => String(message).startsWith('metrics'))
      const url = /http:[^ ]+/.exec(String(line['message']))?.[0] ?? ''
      expect((await fetch(`${url}/metrics`)).status).toBe(200)
      expect((await fetch(`${url}/readyz`)).status).toBe(200)
      expect((await fetch(`${url}/v2/`)).status).toBe(404)
      expect((await fetch(`${server.url}/metrics`)).status).toBe(404)
    })
  })

  it('goes on when a file may not grow any more, and says which request failed', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--threads', '1'], {
        before: 'ulimit -f 4096',
      })
      const large = await pushBlob(server.url, 'team/app', randomBytes(6_000_000))
      expect(large.status).toBeGreaterThanOrEqual(500)
      const line = await server.line(({ status }) => status === large.status)
      expect(line).toMatchObject({
        level: 'error',
        failure: expect.stringMatching(/EFBIG|space|large/),
      })
      expect((await pushBlob(server.url, 'team/app', randomBytes(1000))).status).toBe(201)
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    })
  })
})

describe('katman registry serve, when it cannot', () => {
  it('names the folder another server has, and the port', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder, '--threads', '2'])
      const address = new URL(server.url).host
      const onFolder = await serveFailing(['--data', folder, '--listen', '127.0.0.1:0'])
      expect(onFolder).toMatchObject({ exitCode: 1, stdout: '' })
      expect(onFolder.stderr).toMatch(/^another server serves .*\nhint: /)
      for (const threads of ['1', '2']) {
        const words = ['--data', path.join(folder, 'other'), '--listen', address]
        const onPort = await serveFailing([...words, '--threads', threads])
        expect(onPort).toMatchObject({ exitCode: 1, stdout: '' })
        expect(onPort.stderr).toMatch(/^cannot listen on .*: another program listens there\n/)
      }
    })
  })

  it('can have the folder again as soon as a server was killed', async () => {
    await withFolder(async (folder) => {
      await using server = await serve(['--data', folder])
      server.child.kill('SIGKILL')
      await server.ended
      await using again = await serve(['--data', folder])
      expect((await fetch(`${again.url}/readyz`)).status).toBe(200)
    })
  })

  it('names a folder it may not write, a certificate it cannot use, an address it does not have', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'file')
      await writeFile(file, '')
      const first = path.join(fixtures, 'first.crt')
      const cases: readonly (readonly [readonly string[], RegExp])[] = [
        [['--data', path.join(file, 'data')], /^cannot write in .*\/file\/data: /],
        [['--tls-cert', first], /^tls-key is missing\n/],
        [
          ['--tls-cert', first, '--tls-key', path.join(fixtures, 'second.key')],
          /no certificate with its key/,
        ],
        [
          ['--tls-cert', first, '--tls-key', path.join(folder, 'none')],
          /^cannot read .*\/none: ENOENT/,
        ],
        [
          ['--listen', '192.0.2.1:5000'],
          /^cannot listen on 192\.0\.2\.1:5000: this machine has no such address/,
        ],
        [['--listen', '5000'], /^listen: '5000' is no address/],
        [['--threads', '0'], /^threads: '0' is no number from 1/],
        [['--trusted-proxy', '10.0.0.0/64'], /^trusted proxy '10\.0\.0\.0\/64' is no address/],
        [['--public-url', 'registry.example'], /^public-url: /],
      ]
      for (const [words, message] of cases) {
        const given = words.includes('--data') ? words : ['--data', folder, ...words]
        const { exitCode, stderr } = await serveFailing(
          given.includes('--listen') ? given : [...given, '--listen', '127.0.0.1:0'],
        )
        expect(stderr).toMatch(message)
        expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2)
        expect(exitCode).toBe(1)
      }
    })
  })

  it('names key and line of a file, and the variable', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'registry.yaml')
      await writeFile(file, '# settings\nlisten: 127.0.0.1:0\nlissten: 127.0.0.1:0\n')
      const unknown = await serveFailing(['--config', file])
      expect(unknown.stderr).toBe(`${file}:3: unknown key 'lissten': did you mean 'listen'?\n`)
      await writeFile(file, 'open: perhaps\n')
      expect((await serveFailing(['--config', file])).stderr).toBe(
        `${file}:1: true or false is expected here\n`,
      )
      const variable = await serveFailing([], { env: { KATMAN_REGISTRY_OPEN: 'yes' } })
      expect(variable.stderr).toMatch(/^KATMAN_REGISTRY_OPEN: 'yes' is neither true nor false\n/)
      expect(variable.exitCode).toBe(1)
    })
  })

  it('takes a flag before the environment, that before the file, and shows it', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'registry.yaml')
      await writeFile(file, 'listen: 127.0.0.1:1\nthreads: 2\ndata: /srv/registry\n')
      const { stdout } = await serveFailing(
        ['--config', file, '--listen', '127.0.0.1:3', '--print-config'],
        {
          env: { KATMAN_REGISTRY_LISTEN: '127.0.0.1:2', KATMAN_REGISTRY_THREADS: '3' },
        },
      )
      expect(stdout).toContain('listen: 127.0.0.1:3 # flag\n')
      expect(stdout).toContain('threads: 3 # environment\n')
      expect(stdout).toContain('data: /srv/registry # file\n')
      expect(stdout).toContain('open: false # default\n')
      // What it prints is a file it reads.
      await writeFile(file, stdout)
      const again = await serveFailing(['--config', file, '--print-config'])
      expect(again.exitCode).toBe(0)
    })
  })
})

async function startAndStop(words: readonly string[]): Promise<Ended> {
  await using server = await serve([...words, '--open=false'])
  server.child.kill('SIGTERM')
  return await server.ended
}

function requests(lines: readonly LogLine[]): readonly LogLine[] {
  return lines.filter(({ method }) => method !== undefined)
}

function get(url: string, options: https.RequestOptions): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { get: send } = url.startsWith('https:') ? https : http
    send(url, options, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode))
    }).on('error', reject)
  })
}

function send(
  url: string,
  method: string,
  body: Buffer,
): Promise<{ readonly status: number | undefined; readonly location: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': body.byteLength, connection: 'close' }
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      response.resume()
      const { location = '' } = response.headers
      response.on('end', () => resolve({ status: response.statusCode, location }))
    })
    request.on('error', reject)
    request.end(body)
  })
}

function trusting(ca: Buffer): https.Agent {
  return new https.Agent({ ca })
}

function subjectOf(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: hostname, port: Number(port), rejectUnauthorized: false },
      () => {
        resolve(String(socket.getPeerCertificate().subject.CN))
        socket.destroy()
      },
    )
    socket.on('error', reject)
  })
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

/** An upload whose body is sent bit by bit. */
function openUpload(
  url: string,
  bytes: Buffer,
): {
  write(chunk: Buffer): Promise<void>
  end(chunk: Buffer): void
  readonly status: Promise<number | 'cut' | undefined>
} {
  const request = http.request(`${url}/v2/team/app/blobs/uploads/?digest=${digestOf(bytes)}`, {
    method: 'POST',
    headers: { 'content-length': bytes.byteLength },
  })
  const status = new Promise<number | 'cut' | undefined>((resolve) => {
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', () => resolve('cut'))
  })
  return {
    status,
    write: (chunk) => new Promise((resolve) => void request.write(chunk, () => resolve())),
    end: (chunk) => void request.end(chunk),
  }
}
