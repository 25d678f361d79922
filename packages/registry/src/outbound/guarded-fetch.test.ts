import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { describe, expect, it } from 'vitest'
import { guardedFetch } from './guarded-fetch.ts'
import { createGuard, createGuardedTransport } from './guarded-transport.ts'

interface Target extends AsyncDisposable {
  readonly url: URL
  readonly seen: { readonly path: string; readonly authorization: string | undefined }[]
}

async function listen(answer: RequestListener): Promise<Target> {
  const seen: Target['seen'] = []
  const server = createServer((request, response) => {
    seen.push({ path: request.url ?? '', authorization: request.headers.authorization })
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  return {
    url: new URL(`http://127.0.0.1:${address.port}/`),
    seen,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const hello: RequestListener = (_request, response) => response.end('hello')

describe('guardedFetch', () => {
  it('does not reach this machine or the network around it', async () => {
    await using target = await listen(hello)
    await using transport = createGuardedTransport()
    const { port } = target.url
    for (const host of [
      '127.0.0.1',
      'localhost',
      'LOCALHOST',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '169.254.169.254',
      '10.0.0.1',
      '[fe80::1]',
      '[fd00:ec2::254]',
      '168.63.129.16',
      '100.100.100.200',
    ]) {
      await expect(
        guardedFetch(transport, { url: new URL(`http://${host}:${port}/`) }),
        host,
      ).rejects.toMatchObject({ code: 'ADDRESS_REFUSED' })
    }
    expect(target.seen).toEqual([])
  })

  it('reaches what the configuration allows, by address, block or name', async () => {
    await using target = await listen(hello)
    for (const [allow, host] of [
      ['127.0.0.1', '127.0.0.1'],
      ['127.0.0.0/8', '127.0.0.1'],
      ['localhost', 'localhost'],
    ] as const) {
      await using transport = createGuardedTransport({ allow: [allow] })
      const url = new URL(`http://${host}:${target.url.port}/`)
      const { status, body } = await guardedFetch(transport, { url })
      expect([status, Buffer.from(body).toString()]).toEqual([200, 'hello'])
    }
  })

  it('leaves redirects alone unless told, and then refuses where they lead inside', async () => {
    await using inside = await listen(hello)
    await using target = await listen((_request, response) => {
      response.writeHead(302, { location: `http://[::1]:${inside.url.port}/` }).end()
    })
    await using transport = createGuardedTransport({ allow: ['127.0.0.1'] })
    expect(await guardedFetch(transport, { url: target.url })).toMatchObject({ status: 302 })
    await expect(
      guardedFetch(transport, { url: target.url, followRedirects: true }),
    ).rejects.toMatchObject({ code: 'ADDRESS_REFUSED' })
    expect(inside.seen).toEqual([])
  })

  it('does not take credentials along to another host', async () => {
    await using other = await listen(hello)
    await using target = await listen((_request, response) => {
      response.writeHead(307, { location: other.url.href }).end()
    })
    await using transport = createGuardedTransport({ allow: ['127.0.0.1'] })
    const headers = { authorization: 'Bearer secret' }
    await guardedFetch(transport, { url: target.url, headers, followRedirects: true })
    expect(target.seen[0]?.authorization).toBe('Bearer secret')
    expect(other.seen[0]?.authorization).toBeUndefined()
  })

  it('ends with a limit in size and in time', async () => {
    await using target = await listen((request, response) => {
      if (request.url === '/long') response.end(Buffer.alloc(100_000, 'x'))
      else response.write('begun')
    })
    await using transport = createGuardedTransport({ allow: ['127.0.0.1'] })
    const long = { url: new URL('/long', target.url), maxBytes: 1000 }
    await expect(guardedFetch(transport, long)).rejects.toMatchObject({ code: 'RESPONSE_INVALID' })
    expect((await guardedFetch(transport, { ...long, cut: true })).body).toHaveLength(1000)
    await expect(guardedFetch(transport, { url: target.url, timeoutMs: 50 })).rejects.toMatchObject(
      { code: 'TIMEOUT' },
    )
  })

  it('takes no other schemes and no user in the address', async () => {
    await using transport = createGuardedTransport()
    for (const text of ['file:///etc/passwd', 'ftp://a.test/', 'http://user:secret@a.test/']) {
      const failed = guardedFetch(transport, { url: new URL(text) })
      await expect(failed).rejects.toMatchObject({ code: 'ADDRESS_REFUSED' })
      await expect(failed).rejects.not.toThrow('secret')
    }
  })
})

describe('createGuard', () => {
  it('allows an IPv4 address in its IPv6 spelling, too', () => {
    const guard = createGuard(['10.0.0.0/8', 'fd12::/16'])
    expect(guard('::ffff:10.1.2.3', 'a.test')).toBe(true)
    expect(guard('::ffff:a01:203', 'a.test')).toBe(true)
    expect(guard('fd12::5', 'a.test')).toBe(true)
    expect(guard('fd13::5', 'a.test')).toBe(false)
    expect(guard('93.184.215.14', 'a.test')).toBe(true)
  })

  it('refuses IPv6 behind which a translator or tunnel may find an address inside', () => {
    const guard = createGuard([])
    for (const address of [
      '::ffff:0:127.0.0.1',
      '::ffff:0:a00:1',
      '64:ff9b:1::a00:1',
      '64:ff9b:1:a00::1',
      '2001:0:a00:1::',
      '[2001::5ef5:ffff]',
    ]) {
      expect(guard(address, 'a.test'), address).toBe(false)
    }
    expect(guard('2001:4860:4860::8888', 'a.test')).toBe(true)
    expect(createGuard(['64:ff9b:1::/48'])('64:ff9b:1::a00:1', 'a.test')).toBe(true)
  })

  it('does not take what it cannot read', () => {
    for (const entry of ['10.0.0.0/33', '/8', 'a b', '*', '', '300.1.1.1/8', 'http://a.test']) {
      expect(() => createGuard([entry]), entry).toThrow('neither an address')
    }
  })
})
