import { createServer } from 'node:http'
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose'
import Provider from 'oidc-provider'

/** An issuer of workload tokens on loopback: discovery, keys, and whatever token a test wants. */
export interface TestIssuer extends AsyncDisposable {
  readonly url: string
  /** How often its keys were asked for. */
  readonly asked: () => number
  sign(claims: JWTPayload, more?: SignChoices): Promise<string>
  readonly publicKey: JWK
  /** From here on it signs by another key, under another id. */
  rotate(): Promise<void>
  /** From here on it answers nothing useful. */
  fail(): void
}

interface SignChoices {
  /** Added to the header, or instead of what is there. */
  readonly header?: Readonly<Record<string, unknown>>
  readonly key?: CryptoKey
}

export async function startIssuer(): Promise<TestIssuer> {
  const make = async (kid: string) => {
    const pair = await generateKeyPair('ES256', { extractable: true })
    return { ...pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256' } }
  }
  let current = await make('one')
  let asked = 0
  let isFailing = false
  let url = ''
  const server = createServer((request, response) => {
    if (isFailing) {
      response.writeHead(503).end()
      return
    }
    const isKeys = request.url === '/keys'
    if (isKeys) asked += 1
    const document = isKeys ? { keys: [current.jwk] } : { issuer: url, jwks_uri: `${url}/keys` }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
  })
  url = await listenOn(server)
  return {
    url,
    asked: () => asked,
    publicKey: current.jwk,
    sign: (claims, { header = {}, key } = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: current.jwk.kid, ...header })
        .sign(key ?? current.privateKey),
    async rotate() {
      current = await make('two')
    },
    fail() {
      isFailing = true
    },
    [Symbol.asyncDispose]: () => closeServer(server),
  }
}

/** A whole OpenID Connect provider, with its own pages for people to log in. */
export interface TestProvider extends AsyncDisposable {
  readonly url: string
  /** Does what a person in a browser does, and gives the page at the end. */
  logIn(start: string, name: string): Promise<{ readonly status: number; readonly text: string }>
}

export const clientSecret = 'a secret of the client'

export async function startProvider(redirectUri: string): Promise<TestProvider> {
  const server = createServer()
  const url = await listenOn(server)
  const provider = new Provider(url, {
    clients: [{ client_id: 'registry', client_secret: clientSecret, redirect_uris: [redirectUri] }],
    pkce: { required: () => true },
    claims: { profile: ['preferred_username', 'groups'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups: ['staff'] }),
    }),
    cookies: { keys: ['for the test'] },
  })
  const handle = provider.callback()
  server.on('request', (request, response) => {
    void handle(request, response)
  })
  return {
    url,
    logIn: (start, name) => browse(start, name),
    [Symbol.asyncDispose]: () => closeServer(server),
  }
}

/** A browser with cookies by origin, which fills in the provider's forms. */
async function browse(
  start: string,
  name: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const jars = new Map<string, Map<string, string>>()
  let next: { readonly url: URL; readonly form?: URLSearchParams } = { url: new URL(start) }
  for (let step = 0; step < 20; step += 1) {
    const { url, form } = next
    const jar = jars.get(url.origin) ?? new Map<string, string>()
    jars.set(url.origin, jar)
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([key, value]) => `${key}=${value}`).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: form }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const equals = pair.indexOf('=')
      jar.set(pair.slice(0, equals), pair.slice(equals + 1))
    }
    const location = response.headers.get('location')
    if (location !== null) {
      next = { url: new URL(location, url) }
      continue
    }
    const text = await response.text()
    const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1]
    if (action === undefined) return { status: response.status, text }
    const prompt = /name="prompt" value="([^"]+)"/.exec(text)?.[1] ?? ''
    const fields = prompt === 'login' ? { prompt, login: name, password: 'any' } : { prompt }
    next = { url: new URL(action, url), form: new URLSearchParams(fields) }
  }
  throw new Error('the login does not end')
}

async function listenOn(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no TCP address')
  return `http://127.0.0.1:${address.port}`
}

function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
