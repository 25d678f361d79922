import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type AccountsRegistry, basic, openAccountsRegistry } from './accounts.ts'

const password = 'correct horse'
const start = Date.parse('2026-01-01T00:00:00Z') / 1000

interface Attack extends AsyncDisposable {
  readonly registry: AccountsRegistry
  readonly accountID: number
  /** A good token. */
  readonly token: string
  /** The registry's own private key, as only it has. */
  readonly key: string
  status(token: string, method?: string, path?: string): Promise<number>
}

async function openAttack(): Promise<Attack> {
  const registry = await openAccountsRegistry()
  const account = await registry.addAccount('ayse', { clear: password })
  await registry.grant(account, 'team/*', ['pull'])
  const got = await registry.ask('GET', '/token?scope=repository:team/app:pull', {
    authorization: basic('ayse', password),
  })
  const row = await registry.database.get<{ readonly private_key: string }>(
    'SELECT private_key FROM signing_keys',
  )
  return {
    registry,
    accountID: account.id,
    token: got.document.token,
    key: row?.private_key ?? '',
    status: async (token, method = 'GET', path = '/v2/team/app/tags/list') =>
      (await registry.ask(method, path, { authorization: `Bearer ${token}` })).status,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(text = ''): Record<string, unknown> {
  return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
}

/** Signed by whatever key, under whatever header. */
function make(header: unknown, claims: unknown, key: string): string {
  const text = `${typeof header === 'string' ? header : encode(header)}.${encode(claims)}`
  return `${text}.${sign(null, Buffer.from(text), createPrivateKey(key)).toString('base64url')}`
}

describe('a signed token', () => {
  it('is by a key and under a header of this registry, or it is none', async () => {
    await using attack = await openAttack()
    const { token, key } = attack
    const [head = '', body = '', signature = ''] = token.split('.')
    const [header, claims] = [decode(head), decode(body)]
    expect(await attack.status(token)).toBe(404)
    expect(await attack.status(make(head, claims, key))).toBe(404)
    const stranger = generateKeyPairSync('ed25519').privateKey
    const strangerPem = stranger.export({ type: 'pkcs8', format: 'pem' }).toString()
    const jwk = createPublicKey(stranger).export({ format: 'jwk' })
    const publicKey = createPublicKey(createPrivateKey(key))
    const hs = (secret: string | Buffer): string => {
      const text = `${encode({ ...header, alg: 'HS256' })}.${body}`
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
    }
    const tokens = {
      'alg none': `${encode({ ...header, alg: 'none' })}.${body}.`,
      'alg None': `${encode({ ...header, alg: 'None' })}.${body}.${signature}`,
      'HS256 with the public key as PEM': hs(publicKey.export({ type: 'spki', format: 'pem' })),
      'HS256 with the public key as DER': hs(publicKey.export({ type: 'spki', format: 'der' })),
      'HS256 with nothing': hs(''),
      'jwk with the kid of ours (CVE-2025-24976)': make({ ...header, jwk }, claims, strangerPem),
      'jwk under our key': make({ ...header, jwk }, claims, key),
      x5c: make({ ...header, x5c: ['MIIB'] }, claims, strangerPem),
      jku: make({ ...header, jku: 'https://evil.test/keys' }, claims, strangerPem),
      'kid that is a path': make({ ...header, kid: '../../../dev/null' }, claims, strangerPem),
      'kid that is SQL': make({ ...header, kid: "' OR '1'='1" }, claims, strangerPem),
      'no kid': make({ typ: 'JWT', alg: 'EdDSA' }, claims, strangerPem),
      'stranger under our header': make(head, claims, strangerPem),
      'no signature': `${head}.${body}.`,
      'two parts': `${head}.${body}`,
      'four parts': `${token}.x`,
      'other claims': `${head}.${encode({ ...claims, sub: 'root' })}.${signature}`,
      'other spelling of the signature': `${token}=`,
      'header of nothing': `.${body}.${signature}`,
      'no token': 'x',
      'very long': 'x'.repeat(40_000),
    }
    for (const [name, bad] of Object.entries(tokens)) {
      expect(await attack.status(bad), name).toBe(401)
    }
  })

  it('has whole claims of its time, even when it is signed by the key of this registry', async () => {
    await using attack = await openAttack()
    const { token, key, accountID } = attack
    const [head = '', body = ''] = token.split('.')
    const claims = decode(body)
    const without = (name: string): object =>
      Object.fromEntries(Object.entries(claims).filter(([one]) => one !== name))
    const odd: Readonly<Record<string, unknown>> = {
      'other aud': { ...claims, aud: 'other' },
      'aud is a list': { ...claims, aud: ['katman'] },
      'no aud': without('aud'),
      'other iss': { ...claims, iss: 'other' },
      'no iss': without('iss'),
      'no exp': without('exp'),
      'exp is text': { ...claims, exp: String(start + 300) },
      'exp is negative': { ...claims, exp: -1 },
      'exp is huge': { ...claims, exp: 1e300 },
      'exp is over': { ...claims, exp: start - 1 },
      'no nbf': without('nbf'),
      'nbf is later': { ...claims, nbf: start + 3600 },
      'nbf is null': { ...claims, nbf: null },
      'no iat': without('iat'),
      'iat is a list': { ...claims, iat: [start] },
      'no access': without('access'),
      'access is text': { ...claims, access: 'all' },
      'no sub': without('sub'),
      'sub of another': { ...claims, sub: 'root' },
      'uid of nobody': { ...claims, uid: accountID + 1000 },
      'uid is text': { ...claims, uid: 'x' },
      'tid of nobody': { ...claims, tid: 'abcdef' },
      'a list': [claims],
      nothing: null,
    }
    for (const [name, value] of Object.entries(odd)) {
      expect(await attack.status(make(head, value, key)), name).toBe(401)
    }
  })

  it('is good for what it was given for, and for no more than its account may do', async () => {
    await using attack = await openAttack()
    const { token, key } = attack
    const [head = '', body = ''] = token.split('.')
    const claims = decode(body)
    const wide = make(
      head,
      {
        ...claims,
        access: [
          {
            type: 'repository',
            name: 'team/app',
            actions: ['pull', 'push', 'delete', 'admin', '*'],
          },
          { type: 'repository', name: 'other/app', actions: ['pull'] },
          { type: 'registry', name: 'catalog', actions: ['*'] },
        ],
      },
      key,
    )
    const digest = `sha256:${'0'.repeat(64)}`
    for (const [method, path, status] of [
      ['GET', '/v2/team/app/tags/list', 404],
      ['POST', '/v2/team/app/blobs/uploads/', 401],
      ['PUT', '/v2/team/app/manifests/latest', 401],
      ['DELETE', `/v2/team/app/manifests/${digest}`, 401],
      ['GET', '/v2/other/app/tags/list', 401],
      ['GET', '/v2/_catalog', 200],
      ['GET', '/api/v1/accounts', 403],
      ['POST', '/api/v1/accounts/ayse/tokens', 403],
    ] as const) {
      expect(await attack.status(wide, method, path), `${method} ${path}`).toBe(status)
    }
  })

  it('is never an internal error, whatever a header says', async () => {
    await using attack = await openAttack()
    for (const authorization of [
      'Bearer',
      'Bearer ',
      'Bearer a b',
      'bearer .',
      'Bearer ..',
      'Bearer e30.e30.e30',
      'Basic',
      'Basic =',
      `Basic ${Buffer.from('no colon').toString('base64')}`,
      `Basic ${Buffer.from(`ayse:${'x'.repeat(9000)}`).toString('base64')}`,
      `Basic ${Buffer.from('\0:\0').toString('base64')}`,
      `Basic ${Buffer.from('ayse:eyJhbGciOiJub25lIn0.e30.x').toString('base64')}`,
      'Digest username="ayse"',
      '\u0000',
      '',
    ]) {
      for (const path of ['/v2/', '/v2/team/app/tags/list', '/api/v1/whoami', '/token']) {
        const { status } = await attack.registry.ask('GET', path, {
          authorization,
          client: `192.0.2.${authorization.length % 250}`,
        })
        expect([401, 429], `${authorization.slice(0, 40)} ${path}`).toContain(status)
      }
    }
  })
})
