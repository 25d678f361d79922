import { describe, expect, it } from 'vitest'
import { serveRegistry } from '@katman/registry'
import type { Credential } from '@katman/remote'
import { refusal } from './faults.ts'
import { type PullSetup, setUp } from './pull-setup.ts'

const ayse: Credential = { kind: 'basic', username: 'ayse', password: 'parola-in-the-test' }

describe('a pull that is refused', () => {
  it.each([
    ['Basic realm="R"', undefined, 'asks for a user name'],
    ['Basic realm="R"', ayse, '401'],
  ])('with 401 %s says what to do', async (challenge, credential, text) => {
    await using setup = await setUp()
    setup.registry.disturb(/./, denied(challenge))
    const error = await setup.refused(credential === undefined ? {} : { credential })
    expect(error.code).toBe('UNAUTHORIZED')
    expect(error.message).toContain(text)
    expect(error.hint).toBe(`log in with: katman login ${setup.registry.host}`)
    expectNoSecret(error)
    await setup.recovers()
  })

  it('by the token service says so', async () => {
    await using setup = await setUp()
    const realm = `Bearer realm="${setup.registry.url}/token",service="r"`
    setup.registry.disturb(/ \/token/, refusal(401, 'UNAUTHORIZED'))
    setup.registry.disturb(/./, denied(realm))
    const error = await setup.refused({ credential: ayse })
    expect(error.code).toBe('UNAUTHORIZED')
    expect(error.hint).toContain('katman login')
    expectNoSecret(error)
    await setup.recovers()
  })

  it('again and again with a token that was just given ends', async () => {
    await using setup = await setUp()
    const { registry } = setup
    const realm = `Bearer realm="${registry.url}/token",service="r"`
    registry.disturb(/ \/token/, ({ send }) => {
      send({ status: 200, headers: {}, body: Buffer.from('{"token":"abc","expires_in":300}') })
    })
    registry.disturb(/./, denied(realm))
    const error = await setup.refused({ credential: ayse })
    expect(error.code).toBe('UNAUTHORIZED')
    expect(registry.requests.length).toBeLessThan(10)
    expectNoSecret(error)
    await setup.recovers()
  })

  it('by a real registry with a wrong password leaves no password behind', async () => {
    await using setup = await setUp()
    for (const kind of ['basic', 'bearer'] as const) {
      const server = await serveRegistry({
        storage: setup.registry.storage,
        auth: { kind, users: { ayse: 'another' } },
      })
      const error = await setup.refused({ credential: ayse, host: server.host })
      expect(error.code).toBe('UNAUTHORIZED')
      expectNoSecret(error)
      await server.close()
    }
    await setup.recovers()
  })

  it.each([
    ['the tag with 403', /manifests\/latest/, refusal(403, 'DENIED'), 'DENIED', 'katman login'],
    ['a layer with 403', layer, refusal(403, 'DENIED'), 'DENIED', 'katman login'],
    [
      'the tag with 404',
      /manifests\/latest/,
      refusal(404, 'MANIFEST_UNKNOWN'),
      'MANIFEST_UNKNOWN',
      'spelling',
    ],
    [
      'the name with 404',
      /manifests\/latest/,
      refusal(404, 'NAME_UNKNOWN'),
      'NAME_UNKNOWN',
      'spelling',
    ],
    [
      'the index with 404',
      /GET .*manifests\/sha256/,
      refusal(404, 'MANIFEST_UNKNOWN'),
      'MANIFEST_UNKNOWN',
      'spelling',
    ],
    [
      'a layer with 404',
      layer,
      refusal(404, 'BLOB_UNKNOWN'),
      'BLOB_UNKNOWN',
      'push the image again',
    ],
    ['a layer with 410', layer, refusal(410, 'X'), 'REGISTRY_ERROR', 'owner'],
    ['a layer with 451', layer, refusal(451, 'DENIED'), 'DENIED', 'katman login'],
    ['everything with 418', /./, refusal(418, 'TEAPOT'), 'REGISTRY_ERROR', 'owner'],
    ['a layer with 204', layer, refusal(204, 'X'), 'REGISTRY_ERROR', 'owner'],
    ['a layer with 206 unasked', layer, refusal(206, 'X'), 'REGISTRY_ERROR', 'owner'],
    ['a layer with 304', layer, refusal(304, 'X'), 'REGISTRY_ERROR', 'owner'],
  ])('for %s is not tried again', async (_, pattern, fault, code, hint) => {
    await using setup = await setUp()
    const matching = typeof pattern === 'function' ? pattern(setup) : pattern
    setup.registry.disturb(matching, fault)
    const error = await setup.refused()
    expect(error.code).toBe(code)
    expect(error.hint).toContain(hint)
    expect(error.message).toContain(setup.registry.host)
    expect(setup.waits).toEqual([])
    await setup.recovers()
  })

  it('with an endless error text stays short', async () => {
    await using setup = await setUp()
    setup.registry.disturb(layer(setup), refusal(403, 'DENIED', 'x'.repeat(60_000)))
    const error = await setup.refused()
    expect(error.code).toBe('DENIED')
    expect(error.message.length).toBeLessThan(2000)
    setup.registry.behave()
    setup.registry.disturb(layer(setup), ({ send }) => {
      send({ status: 403, headers: {}, body: Buffer.alloc(20_000_000, '[') })
    })
    expect((await setup.refused()).message.length).toBeLessThan(2000)
    await setup.recovers()
  })
})

describe('a pull that is asked to wait', () => {
  it.each([
    ['in seconds', '7', 7000],
    ['as a date', new Date(Date.parse('2026-01-01') + 9000).toUTCString(), 9000],
  ])('waits as long as the registry says: %s', async (_, header, ms) => {
    await using setup = await setUp()
    const wait = refusal(429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': header })
    setup.registry.disturb(/GET .*manifests/, wait, 1)
    await setup.pull()
    expect(setup.waits).toEqual([ms])
    await setup.recovers()
  })

  it('for a layer, too, and goes on with it', async () => {
    await using setup = await setUp()
    const wait = refusal(429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': '3' })
    setup.registry.disturb(layer(setup), wait, 3)
    await setup.pull()
    expect(setup.waits).toEqual([3000, 3000, 3000])
    await setup.recovers()
  })

  it('for ever gives up and says how long', async () => {
    await using setup = await setUp()
    const wait = refusal(429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': '20' })
    setup.registry.disturb(/manifests\/latest/, wait)
    const error = await setup.refused()
    expect(error.code).toBe('TOO_MANY_REQUESTS')
    expect(error.hint).toContain('wait 20 s')
    expect(setup.waits).toEqual([20_000, 20_000, 20_000, 20_000, 20_000])
    await setup.recovers()
  })

  it.each(['400', '86400', '999999999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])(
    'beyond reason (%s) gives up at once',
    async (header) => {
      await using setup = await setUp()
      const wait = refusal(429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': header })
      setup.registry.disturb(/manifests\/latest/, wait)
      expect(await setup.refused()).toMatchObject({ code: 'TOO_MANY_REQUESTS' })
      expect(setup.waits).toEqual([])
      await setup.recovers()
    },
  )

  it.each(['soon', '-5', '1e9', ''])('in words (%j) waits a little', async (header) => {
    await using setup = await setUp()
    const wait = refusal(429, 'TOOMANYREQUESTS', 'slow down', { 'retry-after': header })
    setup.registry.disturb(/GET .*manifests/, wait, 1)
    await setup.pull()
    expect(setup.waits).toEqual([250])
    await setup.recovers()
  })
})

function layer({ image }: PullSetup): RegExp {
  return new RegExp(`GET .*${image.layers[1].digest}`)
}

function denied(challenge: string): ReturnType<typeof refusal> {
  return refusal(401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge })
}

/** Nowhere in the error: not in its text, not in its facts, not in its causes. */
function expectNoSecret(error: Error): void {
  const secrets = ['parola-in-the-test', Buffer.from('ayse:parola-in-the-test').toString('base64')]
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const text = `${cause.stack} ${JSON.stringify(cause)}`
    for (const secret of secrets) expect(text).not.toContain(secret)
  }
}
