import { describe, expect, it } from 'vitest'
import { fakeClock } from '../test/support.ts'
import type { HttpRequest, HttpTransport } from './http.ts'
import type { Credential } from './credential.ts'
import { createRemote, type Remote } from './remote.ts'
import { defaultSettings, type RemoteSettings } from './settings.ts'

interface Asked {
  readonly url: string
  readonly authorization: string | undefined
}

/** A client whose network answers from this table, by URL without query. */
function openRemote(
  answers: Readonly<Record<string, readonly [status: number, challenge: string, body: string]>>,
  settings: Partial<RemoteSettings> = {},
  credential: Credential = { kind: 'basic', username: 'a', password: 'b' },
): Remote & { readonly asked: Asked[] } {
  const asked: Asked[] = []
  const transport: HttpTransport = {
    async send({ url, headers = {} }: HttpRequest) {
      asked.push({ url: url.href, authorization: headers['authorization'] })
      const [status, challenge, body] = answers[url.origin + url.pathname] ?? [404, '', '']
      return {
        status,
        reason: '',
        headers: new Map(challenge === '' ? [] : [['www-authenticate', challenge]]),
        body: (async function* () {
          yield Buffer.from(body)
        })(),
        remoteAddress: '93.184.216.34',
        discard: () => undefined,
      }
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
  const remote = createRemote({
    settings: { ...defaultSettings, ...settings },
    credentials: { get: async () => credential },
    userAgent: 'katman-test',
    clock: fakeClock(),
    transport,
  })
  return { ...remote, asked }
}

const challenge = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"'
const found: readonly [number, string, string] = [200, '', '{"results":[{"name":"alpine"}]}']
const basic = 'Basic YTpi'

describe('search', () => {
  it('asks Hub at the host of its index, with the password and without a token', async () => {
    await using remote = openRemote({
      'https://index.docker.io/v2/': [401, challenge, ''],
      'https://index.docker.io/v1/search': found,
    })
    const results = await remote.search({ registry: 'docker.io', term: 'al pine', limit: 3 })
    expect(results.map((one) => one.name)).toEqual(['alpine'])
    expect(remote.asked).toEqual([
      { url: 'https://index.docker.io/v2/', authorization: undefined },
      { url: 'https://index.docker.io/v1/search?q=al+pine&n=3', authorization: basic },
    ])
  })

  it('takes an identity token to the token service, and a refused password, too', async () => {
    const answers = {
      'https://index.docker.io/v2/': [401, challenge, ''],
      'https://auth.docker.io/token': [200, '', '{"token":"T"}'],
      'https://index.docker.io/v1/search': found,
    } as const
    const identity = { kind: 'identity', username: 'a', token: 'I' } as const
    await using remote = openRemote(answers, {}, identity)
    const question = { registry: 'docker.io', term: 'x', limit: 1 }
    await remote.search(question)
    expect(remote.asked.slice(1)).toEqual([
      { url: 'https://auth.docker.io/token', authorization: undefined },
      { url: 'https://index.docker.io/v1/search?q=x&n=1', authorization: 'Bearer T' },
    ])

    const refusing = {
      ...answers,
      'https://index.docker.io/v1/search': [401, challenge, ''],
    } as const
    await using other = openRemote(refusing)
    await expect(other.search(question)).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    const scope = 'registry%3Acatalog%3Asearch'
    expect(other.asked.map(({ url, authorization }) => [url, authorization]).slice(1, 4)).toEqual([
      ['https://index.docker.io/v1/search?q=x&n=1', basic],
      [expect.stringContaining(`https://auth.docker.io/token?`), basic],
      ['https://index.docker.io/v1/search?q=x&n=1', 'Bearer T'],
    ])
    expect(other.asked[2]?.url).toContain(`scope=${scope}`)
  })

  it('asks who stands for Hub by the settings, never a mirror', async () => {
    await using remote = openRemote(
      { 'https://hub.example/v2/': [200, '', ''], 'https://hub.example/v1/search': found },
      {
        rules: [
          {
            prefix: 'docker.io',
            origin: { host: 'hub.example' },
            mirrors: [{ host: 'mirror.example' }],
          },
        ],
      },
    )
    await remote.search({ registry: 'docker.io', term: 'x', limit: 1 })
    expect(remote.asked.map(({ url }) => url)).toEqual([
      'https://hub.example/v2/',
      'https://hub.example/v1/search?q=x&n=1',
    ])
  })

  it('does not ask a registry that is blocked', async () => {
    await using remote = openRemote(
      {},
      { rules: [{ prefix: 'docker.io', blocked: true, mirrors: [] }] },
    )
    const question = { registry: 'docker.io', term: 'x', limit: 1 }
    await expect(remote.search(question)).rejects.toMatchObject({ code: 'REGISTRY_BLOCKED' })
    expect(remote.asked).toEqual([])
  })

  it.each([
    [404, 'SEARCH_UNSUPPORTED'],
    [401, 'UNAUTHORIZED'],
    [429, 'TOO_MANY_REQUESTS'],
    [500, 'REGISTRY_ERROR'],
  ])('tells a refusal with %i', async (status, code) => {
    await using remote = openRemote({
      'https://r.example/v2/': [200, '', ''],
      'https://r.example/v1/search': [status, '', ''],
    })
    const question = { registry: 'r.example', term: 'x', limit: 1 }
    await expect(remote.search(question)).rejects.toMatchObject({
      code,
      details: { dockerMessage: `Unexpected status code ${status}` },
    })
  })
})
