import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { type Credential, defaultSettings } from '@katman/remote'
import { describe, expect, it } from 'vitest'
import { altered, cut, flipped, redirected, refusal } from './faults.ts'
import { type HostileRegistry, startHostileRegistry } from './hostile-registry.ts'
import { type PullSetup, setUp } from './pull-setup.ts'

const ayse: Credential = { kind: 'basic', username: 'ayse', password: 'parola-in-the-test' }
describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])(
    'to another host (%i) is followed without the credentials',
    async (status) => {
      await using setup = await setUp()
      await using other = await startMirror(setup)
      setup.registry.challenge('Basic realm="R"')
      setup.registry.disturb(
        /GET .*blobs/,
        redirected((target) => other.url + target, status),
      )
      await setup.pull({ credential: ayse })
      expect(other.requests.length).toBeGreaterThanOrEqual(3)
      expectNothingSecret(other)
      expect(setup.registry.requests.at(-1)?.headers.authorization).toMatch(/^Basic /)
      await setup.recovers()
    },
  )

  it('to another host leaves a token behind, and does not bring it back', async () => {
    await using setup = await setUp()
    await using other = await startHostileRegistry()
    const { registry } = setup
    const wantsToken = refusal(401, 'UNAUTHORIZED', 'who?', {
      'www-authenticate': `Bearer realm="${registry.url}/token",service="r"`,
    })
    registry.disturb(/ \/token/, ({ send }) => {
      send({
        status: 200,
        headers: {},
        body: Buffer.from('{"token":"parola-in-the-test","expires_in":300}'),
      })
    })
    registry.disturb(
      /GET .*blobs.*[0-9a-f]$/,
      redirected((target) => other.url + target),
    )
    registry.disturb(/ \/v2/, async (exchange) => {
      const { authorization } = exchange.incoming.headers
      const isBack = exchange.path.endsWith('?back')
      await (authorization === undefined && !isBack ? wantsToken : altered(() => ({})))(exchange)
    })
    other.disturb(
      /blobs/,
      redirected((target) => `${registry.url}${target}?back`),
    )
    await setup.pull({ credential: ayse })
    expectNothingSecret(other)
    const back = registry.requests.filter((request) => request.path.endsWith('?back'))
    expect(back).toHaveLength(3)
    for (const { headers } of back) expect(headers.authorization).toBeUndefined()
    await setup.recovers()
  })

  it('to another host that asks for a password gets none', async () => {
    await using setup = await setUp()
    await using other = await startHostileRegistry()
    setup.registry.challenge('Basic realm="R"')
    setup.registry.disturb(
      /GET .*blobs/,
      redirected((target) => other.url + target),
    )
    other.challenge('Basic realm="R"')
    const error = await setup.refused({ credential: ayse })
    expect(error.code).toBe('UNAUTHORIZED')
    expect(error.message).toContain(other.host)
    expectNothingSecret(other)
    await setup.recovers()
  })

  it('to another host whose bytes are wrong is noticed', async () => {
    await using setup = await setUp()
    await using other = await startMirror(setup)
    const { digest } = setup.image.layers[1]
    other.disturb(new RegExp(digest), flipped(500_000))
    setup.registry.disturb(
      /GET .*blobs/,
      redirected((target) => other.url + target),
    )
    const error = await setup.refused()
    expect(error.code).toBe('DIGEST_MISMATCH')
    expect(error.message).toContain(digest)
    await setup.recovers()
  })

  it('is asked for anew after a cut: signed addresses end', async () => {
    await using setup = await setUp()
    await using other = await startMirror(setup)
    const { digest } = setup.image.layers[1]
    let signed = 0
    setup.registry.disturb(new RegExp(`GET .*${digest}`), (exchange) =>
      redirected(`${other.url}${exchange.path}?signature=${++signed}`)(exchange),
    )
    other.disturb(/signature=1/, cut(300_000), 1)
    other.disturb(/signature=1/, refusal(403, 'EXPIRED'))
    await setup.pull()
    const last = other.requests.at(-1)
    expect(last?.path).toContain('signature=2')
    expect(last?.headers.range).toBe('bytes=300000-')
    await setup.recovers()
  })

  it('is told without its query: signatures are secrets', async () => {
    await using setup = await setUp()
    await using other = await startHostileRegistry()
    setup.registry.disturb(
      /GET .*blobs/,
      redirected((target) => `${other.url}${target}?signature=parola-in-the-test`),
    )
    other.disturb(/./, refusal(403, 'DENIED'))
    const error = await setup.refused()
    expect(error.code).toBe('DENIED')
    expect(`${error.message} ${error.hint} ${JSON.stringify(error.details)}`).not.toContain(
      'parola-in-the-test',
    )
    await setup.recovers()
  })

  it('to itself ends', async () => {
    await using setup = await setUp()
    setup.registry.disturb(
      /GET .*blobs/,
      redirected((target) => target),
    )
    const error = await setup.refused()
    expect(error.code).toBe('REDIRECT_REFUSED')
    expect(error.message).toContain('more than 10 redirects')
    expect(setup.waits).toEqual([])
    await setup.recovers()
  })

  it('between two hosts ends', async () => {
    await using setup = await setUp()
    await using other = await startHostileRegistry()
    setup.registry.disturb(
      /GET .*blobs/,
      redirected((target) => other.url + target),
    )
    other.disturb(
      /./,
      redirected((target) => setup.registry.url + target),
    )
    expect(await setup.refused()).toMatchObject({ code: 'REDIRECT_REFUSED' })
    expect(other.requests.length).toBeLessThan(10)
    await setup.recovers()
  })

  it('is followed ten times and no more', async () => {
    for (const [hops, isAllowed] of [
      [10, true],
      [11, false],
    ] as const) {
      await using setup = await setUp()
      const { digest } = setup.image.config
      let hop = 0
      setup.registry.disturb(
        new RegExp(`GET .*${digest}`),
        redirected((target) => `${target.split('?')[0]}?hop=${++hop}`),
        hops,
      )
      if (isAllowed) await setup.pull()
      else expect(await setup.refused()).toMatchObject({ code: 'REDIRECT_REFUSED' })
      await setup.recovers()
    }
  })

  it.each([
    ['ftp://127.0.0.1/x', 'ftp:'],
    ['file:///etc/passwd', 'file:'],
    ['data:text/plain,x', 'data:'],
    ['javascript:alert(1)', 'javascript:'],
    ['http://user:parola@127.0.0.1/', 'user'],
    ['http://[::1', 'malformed'],
    ['http://:0', 'malformed'],
  ])('to %s is refused', async (location, word) => {
    await using setup = await setUp()
    setup.registry.disturb(/GET .*blobs/, redirected(location))
    const error = await setup.refused()
    expect(error.code).toBe('REDIRECT_REFUSED')
    expect(error.message).toContain(word)
    expect(error.message).toContain(setup.registry.host)
    expect(error.message).not.toContain('parola')
    await setup.recovers()
  })

  it('from https to http is refused', async () => {
    const tls = await loopbackCertificate()
    await using setup = await setUp({ tls })
    await using plain = await startMirror(setup)
    const { host } = setup.registry
    const settings = { ...defaultSettings, tls: new Map([[host, { ca: [tls.cert] }]]) }
    setup.registry.disturb(
      /GET .*blobs/,
      redirected((target) => plain.url + target),
    )
    const error = await setup.refused({ remote: { settings } })
    expect(error.code).toBe('REDIRECT_REFUSED')
    expect(error.message).toContain('https to http')
    expect(plain.requests).toEqual([])
    setup.registry.behave()
    expect((await setup.pull({ remote: { settings } })).images).toHaveLength(1)
  })
})

describe('a token service', () => {
  it.each([
    ['at another site', 'https://tokens.evil.example/token'],
    ['at a metadata address', 'http://169.254.169.254/latest'],
    ['with a user', 'http://user:word@127.0.0.1/token'],
    ['of no scheme we speak', 'file:///etc/passwd'],
  ])('%s never gets the credentials', async (_, realm) => {
    await using setup = await setUp()
    setup.registry.disturb(
      /./,
      refusal(401, 'UNAUTHORIZED', 'who?', {
        'www-authenticate': `Bearer realm="${realm}",service="r"`,
      }),
    )
    const error = await setup.refused({ credential: ayse })
    expect(error.code).toBe('AUTH_REALM_REFUSED')
    expect(error.message).not.toContain('parola-in-the-test')
    await setup.recovers()
  })

  it('that redirects does not carry the credentials on', async () => {
    await using setup = await setUp()
    await using other = await startHostileRegistry()
    const { registry } = setup
    registry.disturb(
      / \/token/,
      redirected((target) => other.url + target),
    )
    registry.disturb(
      /./,
      refusal(401, 'UNAUTHORIZED', 'who?', {
        'www-authenticate': `Bearer realm="${registry.url}/token",service="r"`,
      }),
    )
    await setup.refused({ credential: ayse })
    expectNothingSecret(other)
    await setup.recovers()
  })
})

/** Another host with the same content. */
function startMirror({ registry }: PullSetup): Promise<HostileRegistry> {
  return startHostileRegistry({ storage: registry.storage })
}

function expectNothingSecret(other: HostileRegistry): void {
  expect(other.requests.length).toBeGreaterThan(0)
  const secrets = ['parola-in-the-test', Buffer.from('ayse:parola-in-the-test').toString('base64')]
  for (const { headers, path: target } of other.requests) {
    expect(headers.authorization).toBeUndefined()
    expect(headers.cookie).toBeUndefined()
    for (const secret of secrets) expect(JSON.stringify(headers) + target).not.toContain(secret)
  }
}

async function loopbackCertificate(): Promise<{ readonly cert: string; readonly key: string }> {
  const folder = path.resolve(import.meta.dirname, '../../packages/remote/test/fixtures')
  const [cert, key] = await Promise.all([
    readFile(path.join(folder, 'loopback.crt'), 'utf8'),
    readFile(path.join(folder, 'loopback.key'), 'utf8'),
  ])
  return { cert, key }
}
