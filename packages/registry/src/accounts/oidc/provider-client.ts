import { readFile } from 'node:fs/promises'
import type { HttpTransport } from '@katman/remote'
import type { Configuration } from 'openid-client'
import { guardedFetch } from '../../outbound/guarded-fetch.ts'
import type { LoginOptions } from '../access-options.ts'

/** Finds the provider of a login out (OpenID Connect Discovery). Everything it is asked goes through the guarded transport. */
export async function discoverProvider(
  { issuer, clientID, clientSecretFile }: LoginOptions,
  transport: HttpTransport,
): Promise<Configuration> {
  const client = await import('openid-client')
  const secret =
    clientSecretFile === undefined
      ? undefined
      : (await readFile(clientSecretFile, 'utf8')).replace(/\r?\n$/, '')
  const url = new URL(issuer)
  const configuration = await client.discovery(
    url,
    clientID,
    undefined,
    secret === undefined ? client.None() : client.ClientSecretBasic(secret),
    {
      [client.customFetch]: (target, options) => fetchGuarded(transport, target, options),
      // A provider on this machine, or inside, that the configuration allows.
      ...(url.protocol === 'http:' ? { execute: [client.allowInsecureRequests] } : {}),
      timeout: 10,
    },
  )
  // The signature is checked although the token comes straight from the provider.
  client.enableNonRepudiationChecks(configuration)
  return configuration
}

interface FetchOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

async function fetchGuarded(
  transport: HttpTransport,
  target: string,
  { method, headers = {}, body, signal }: FetchOptions,
): Promise<Response> {
  const isForm = body instanceof URLSearchParams
  const sent = isForm ? body.toString() : typeof body === 'string' ? body : undefined
  const answer = await guardedFetch(transport, {
    url: new URL(target),
    method: method === 'POST' ? 'POST' : 'GET',
    headers: {
      ...headers,
      ...(isForm ? { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' } : {}),
    },
    ...(sent === undefined ? {} : { body: Buffer.from(sent) }),
    ...(signal === undefined ? {} : { signal }),
  })
  const shown = new Headers()
  for (const name of ['content-type', 'www-authenticate', 'cache-control']) {
    const value = answer.headers.get(name)
    if (value !== undefined) shown.set(name, value)
  }
  return new Response(Buffer.from(answer.body), { status: answer.status, headers: shown })
}
