import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../src/index.ts'

describe('the logins of Docker Hub’s API', () => {
  let server: RunningServer
  let url = ''
  let secret = ''

  beforeAll(async () => {
    server = await startServer(
      { registry: {}, listen: { host: '127.0.0.1', port: 0 }, version: 'test' },
      { log: () => undefined, warn: () => undefined },
    )
    url = `http://127.0.0.1:${server.address.port}`
    secret = server.firstRun?.token ?? ''
    await fetch(`${url}/v2/team/app/blobs/uploads/`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`admin:${secret}`).toString('base64')}` },
    })
  })
  afterAll(() => server.stop())

  const post = (path: string, body: object): Promise<Response> =>
    fetch(url + path, { method: 'POST', body: JSON.stringify(body) })

  const hello = JSON.stringify({ description: 'x' })

  it('give a token by which the API is used, as JWT or Bearer', async () => {
    const old = await post('/v2/users/login/', { username: 'admin', password: secret })
    const { token } = (await old.json()) as { readonly token: string }
    const current = await post('/v2/auth/token', { identifier: 'admin', secret })
    const { access_token } = (await current.json()) as { readonly access_token: string }
    for (const authorization of [`JWT ${token}`, `Bearer ${access_token}`]) {
      const listed = await fetch(`${url}/v2/repositories/team/`, { headers: { authorization } })
      expect(await listed.json()).toMatchObject({ count: expect.any(Number) })
      const missing = await fetch(`${url}/v2/repositories/team/none/`, {
        method: 'PATCH',
        headers: { authorization },
        body: hello,
      })
      expect(missing.status).toBe(404)
    }
    expect((await fetch(`${url}/v2/repositories/team/`)).status).toBe(401)
  })

  it('refuse what is wrong in the words of Docker Hub', async () => {
    for (const [path, body] of [
      ['/v2/users/login', { username: 'admin', password: 'wrong' }],
      ['/v2/users/login', { username: 'nobody', password: secret }],
      ['/v2/auth/token', { identifier: 'admin' }],
    ] as const) {
      const answer = await post(path, body)
      expect([answer.status, await answer.json()]).toEqual([
        401,
        { detail: 'Incorrect authentication credentials', message: 'unauthorized' },
      ])
    }
    expect((await post('/v2/users/login', { user: 'admin' })).status).toBe(400)
    expect((await fetch(`${url}/v2/users/login`)).status).toBe(405)
  })
})
