import { type CryptoKey, exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import type { WorkloadIssuer } from '../src/accounts/access-options.ts'
import { type AccountsRegistry, basic, openAccountsRegistry } from './accounts.ts'
import { startIssuer, type TestIssuer } from './oidc-issuer.ts'

const audience = 'registry.test'
const start = Date.parse('2026-01-01T00:00:00Z') / 1000

interface Workload extends AsyncDisposable {
  readonly registry: AccountsRegistry
  readonly issuer: TestIssuer
  readonly claims: Record<string, unknown>
  /** The status of a list of tags, asked with this token as the password. */
  readonly pull: (token: string, repository?: string) => Promise<number>
}

interface WorkloadChoice {
  readonly allow: readonly string[]
  readonly identities: typeof usual
}

const usual: WorkloadIssuer['identities'] = [
  { claims: { repository: 'org/app', ref: 'refs/heads/*' }, account: 'team+ci' },
  {
    claims: { repository: 'org/*' },
    account: 'team+ci',
    scopes: [{ repository: 'team/docs', actions: ['pull'] }],
  },
]

async function openWorkload({
  allow = ['127.0.0.1'],
  identities = usual,
}: Partial<WorkloadChoice> = {}): Promise<Workload> {
  const issuer = await startIssuer()
  const registry = await openAccountsRegistry({
    outbound: { allow },
    access: {
      workloads: [
        {
          issuer: issuer.url,
          audience,
          identities,
        },
      ],
    },
  })
  const robot = await registry.addAccount('team+ci', { kind: 'robot', namespace: 'team' })
  await registry.grant(robot, 'team/*', ['push'])
  return {
    registry,
    issuer,
    claims: {
      iss: issuer.url,
      aud: audience,
      sub: 'repo:org/app:ref:refs/heads/main',
      repository: 'org/app',
      ref: 'refs/heads/main',
      iat: start,
      exp: start + 300,
    },
    pull: async (token, repository = 'team/app') =>
      (
        await registry.ask('GET', `/v2/${repository}/tags/list`, {
          authorization: basic('anything', token),
        })
      ).status,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await issuer[Symbol.asyncDispose]()
    },
  }
}

describe('workload identity', () => {
  it('lets a workload in as its robot, by password and by the token server', async () => {
    await using workload = await openWorkload()
    const { registry, issuer, claims } = workload
    const token = await issuer.sign(claims)
    expect(await workload.pull(token)).toBe(404)
    const authorization = basic('x', token)
    const got = await registry.ask('GET', '/token?scope=repository:team/app:pull,push', {
      authorization,
    })
    const bearer = `Bearer ${got.document.token}`
    const upload = '/v2/team/app/blobs/uploads/'
    expect((await registry.ask('POST', upload, { authorization: bearer })).status).toBe(202)
    const posted = await registry.ask('POST', '/token', {
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: token,
        scope: 'repository:team/app:pull',
      }).toString(),
    })
    expect(posted.status).toBe(200)
    expect(issuer.asked()).toBe(1)
  })

  it('gives a workload that acts as a person nothing that outlives its token', async () => {
    await using workload = await openWorkload({
      identities: [{ claims: { repository: 'org/app' }, account: 'dilek' }],
    })
    const { registry, issuer, claims } = workload
    await registry.addAccount('dilek')
    const token = await issuer.sign(claims)
    const offline = await registry.ask('POST', '/token', {
      body: new URLSearchParams({
        grant_type: 'password',
        username: 'dilek',
        password: token,
        access_type: 'offline',
      }).toString(),
    })
    expect(offline.status).toBe(200)
    expect(offline.document).not.toHaveProperty('refresh_token')
    const made = await registry.ask('POST', '/api/v1/accounts/dilek/tokens', {
      authorization: basic('dilek', token),
      headers: { 'content-type': 'application/json' },
      body: { name: 'for ever' },
    })
    expect(made.document).toMatchObject({ expires_at: '2026-01-01T00:05:00.000Z' })
    const login = await registry.ask('POST', '/v2/users/login', {
      body: { username: 'dilek', password: token },
    })
    const authorization = `Bearer ${login.document.token}`
    const self = async (): Promise<number> =>
      (await registry.ask('GET', '/api/v1/whoami', { authorization })).status
    expect(await self()).toBe(200)
    registry.wait(300_000)
    expect(await self()).toBe(401)
  })

  it('gives less to workloads that are trusted less, and nothing to others', async () => {
    await using workload = await openWorkload()
    const { registry, issuer, claims, pull } = workload
    const branch = await issuer.sign({ ...claims, ref: 'refs/pull/7/merge' })
    expect([await pull(branch, 'team/docs'), await pull(branch, 'team/app')]).toEqual([404, 403])
    // Also the signed token that it gets is for no more than that.
    const got = await registry.ask(
      'GET',
      '/token?scope=repository:team/app:pull repository:team/docs:pull',
      {
        authorization: basic('x', branch),
      },
    )
    const authorization = `Bearer ${got.document.token}`
    const status = async (name: string): Promise<number> =>
      (await registry.ask('GET', `/v2/${name}/tags/list`, { authorization })).status
    expect([await status('team/docs'), await status('team/app')]).toEqual([404, 401])
    expect(await pull(await issuer.sign({ ...claims, repository: 'other/app' }))).toBe(401)
    expect(await pull(await issuer.sign({ ...claims, repository: undefined }))).toBe(401)
  })

  it('takes no token that is made up, for others, or not of its time', async () => {
    await using workload = await openWorkload()
    const { issuer, claims, pull } = workload
    expect(await pull(await issuer.sign(claims))).toBe(404)
    const stranger = await generateKeyPair('ES256', { extractable: true })
    const strangerKey = { key: stranger.privateKey }
    const { publicKey } = issuer
    const encode = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url')
    const publicPem = await exportSPKI((await importJWK(publicKey, 'ES256')) as CryptoKey)
    const hs = (secret: string): Promise<string> =>
      new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(Buffer.from(secret))
    const bad: Readonly<Record<string, string | Promise<string>>> = {
      'alg none': `${encode({ alg: 'none', kid: 'one' })}.${encode(claims)}.`,
      'alg none with a signature': `${encode({ alg: 'none' })}.${encode(claims)}.abc`,
      'HS256 with the public key as PEM': hs(publicPem),
      'HS256 with the public key as JWK': hs(JSON.stringify(publicKey)),
      'jwk in the header': issuer.sign(claims, {
        ...strangerKey,
        header: { jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' } },
      }),
      'x5c in the header': issuer.sign(claims, { ...strangerKey, header: { x5c: ['MIIB'] } }),
      'jku in the header': issuer.sign(claims, {
        ...strangerKey,
        header: { jku: `${issuer.url}/x` },
      }),
      'kid that is a path': issuer.sign(claims, {
        ...strangerKey,
        header: { kid: '../../etc/passwd' },
      }),
      'kid of nobody': issuer.sign(claims, { ...strangerKey, header: { kid: 'three' } }),
      'key of a stranger': issuer.sign(claims, strangerKey),
      'other audience': issuer.sign({ ...claims, aud: 'other' }),
      'no audience': issuer.sign({ ...claims, aud: undefined as never }),
      'other issuer': issuer.sign({ ...claims, iss: 'https://evil.test' }),
      'issuer with a slash': issuer.sign({ ...claims, iss: `${issuer.url}/` }),
      'no issuer': issuer.sign({ ...claims, iss: undefined as never }),
      expired: issuer.sign({ ...claims, exp: start - 60 }),
      'no end': issuer.sign({ ...claims, exp: undefined as never }),
      'end is text': issuer.sign({ ...claims, exp: '9999999999' as never }),
      'end is negative': issuer.sign({ ...claims, exp: -1 }),
      'not yet': issuer.sign({ ...claims, nbf: start + 3600 }),
      'begin is text': issuer.sign({ ...claims, nbf: 'now' as never }),
      'no subject': issuer.sign({ ...claims, sub: undefined as never }),
      'claims are a list': `${encode({ alg: 'ES256', kid: 'one' })}.${encode([1])}.abc`,
      'no JSON': 'eyJhbGciOiJFUzI1NiJ9.AAAA.AAAA',
    }
    for (const [index, [name, token]] of Object.entries(bad).entries()) {
      const answer = await workload.registry.ask('GET', '/v2/team/app/tags/list', {
        authorization: basic('x', await token),
        // Another client each time: who is wrong too often has to wait.
        client: `192.0.2.${index}`,
      })
      expect(answer.status, name).toBe(401)
    }
  })

  it('follows new keys, and goes on with those it knows while the issuer is away', async () => {
    await using workload = await openWorkload()
    const { registry, issuer, claims, pull } = workload
    const old = await issuer.sign(claims)
    expect(await pull(old)).toBe(404)
    await issuer.rotate()
    registry.wait(60_000)
    expect(await pull(await issuer.sign(claims))).toBe(404)
    issuer.fail()
    registry.wait(20 * 60_000)
    expect(await pull(await issuer.sign({ ...claims, exp: start + 7200 }))).toBe(404)
  })

  it('asks no issuer in the own network that the configuration does not allow', async () => {
    await using workload = await openWorkload({ allow: [] })
    expect(await workload.pull(await workload.issuer.sign(workload.claims))).toBe(401)
    expect(workload.issuer.asked()).toBe(0)
  })

  it('keeps out a workload whose robot is disabled', async () => {
    await using workload = await openWorkload()
    const { registry, issuer, claims, pull } = workload
    await registry.database.run('UPDATE accounts SET is_disabled = 1')
    expect(await pull(await issuer.sign(claims))).toBe(401)
  })
})
