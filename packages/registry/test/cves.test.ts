import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { basic } from './accounts.ts'
import { digestOf, imageOf, ociIndex, ociManifest, openVillage, password } from './cves.ts'

// One test for each weakness that other registries had, under the name it was published by.

describe('weaknesses of distribution', () => {
  it('CVE-2017-11468: a manifest without end is refused before it is read to the end', async () => {
    await using village = await openVillage()
    const body = `{"schemaVersion":2,"x":"${'x'.repeat(5 * 1024 * 1024)}"}`
    const headers = { 'content-type': ociManifest }
    const target = '/v2/ayse/app/manifests/v1'
    expect((await village.as('ayse', 'PUT', target, { body, headers })).status).toBe(413)
  })

  it('CVE-2021-41190: bytes are an image or an index, whatever type they are pushed by', async () => {
    await using village = await openVillage()
    const { layer, bytes } = await village.push('ayse', 'ayse/app', 'v1')
    const put = async (document: object | string, type: string): Promise<number> => {
      const body = typeof document === 'string' ? document : JSON.stringify(document)
      const options = { body, headers: { 'content-type': type } }
      return (await village.as('ayse', 'PUT', '/v2/ayse/app/manifests/v2', options)).status
    }
    expect(await put(bytes, ociIndex)).toBe(400)
    const both = { ...imageOf('{}', 'v1'), manifests: [] }
    expect(await put(both, ociManifest)).toBe(400)
    const { mediaType: _none, ...untyped } = both
    expect(await put(untyped, ociManifest)).toBe(400)
    expect(await put(untyped, ociIndex)).toBe(400)
    // What is stored is answered by the type it came with, whatever the client accepts.
    const headers = { accept: ociIndex }
    const got = await village.as('ayse', 'GET', '/v2/ayse/app/manifests/v1', { headers })
    expect([got.headers['content-type'], got.text.includes(layer)]).toEqual([ociManifest, true])
  })

  it('CVE-2023-2253: the client does not say how much memory a page takes', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    for (const n of ['9223372036854775807', '2147483648', '-1', 'abc', '1e9', '0x10', '']) {
      for (const list of ['_catalog', 'ayse/app/tags/list']) {
        const { status } = await village.as('ayse', 'GET', `/v2/${list}?n=${n}`)
        expect([200, 400], `${list} ${n}`).toContain(status)
      }
    }
    const one = await village.as('ayse', 'GET', '/v2/_catalog?n=999999999')
    expect(one.document).toEqual({ repositories: ['ayse/app'] })
  })

  it('CVE-2025-24976: a token is checked with our keys, never with one that it brings', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const scope = 'service=katman&scope=repository:ayse/app:pull'
    const { document } = await village.as('ayse', 'GET', `/token?${scope}`)
    const [head = '', claims = ''] = String(document.token).split('.')
    const header = JSON.parse(Buffer.from(head, 'base64url').toString())
    const mine = generateKeyPairSync('ed25519')
    const jwk = mine.publicKey.export({ format: 'jwk' })
    const ask = async (token: string): Promise<number> =>
      (
        await village.registry.ask('GET', '/v2/ayse/app/manifests/v1', {
          authorization: `Bearer ${token}`,
        })
      ).status
    expect(await ask(document.token)).toBe(200)
    for (const extra of [{ jwk }, { jwk, alg: 'EdDSA' }, { x5c: ['AAAA'] }, { jku: 'http://x' }]) {
      const encoded = encode({ ...header, ...extra })
      const signature = sign(null, Buffer.from(`${encoded}.${claims}`), mine.privateKey)
      expect(await ask(`${encoded}.${claims}.${signature.toString('base64url')}`)).toBe(401)
    }
    expect(await ask(`${encode({ ...header, alg: 'none' })}.${claims}.`)).toBe(401)
    const symmetric = encode({ ...header, alg: 'HS256' })
    const mac = createHmac('sha256', JSON.stringify(jwk)).update(`${symmetric}.${claims}`)
    expect(await ask(`${symmetric}.${claims}.${mac.digest('base64url')}`)).toBe(401)
    expect(await ask(`${encode({ ...header, kid: '../../etc/passwd' })}.${claims}.AA`)).toBe(401)
  })

  it('CVE-2026-35172: a deleted blob stays deleted where it was deleted', async () => {
    await using village = await openVillage()
    const { layer } = await village.push('ayse', 'ayse/app', 'v1', 'the same layer')
    await village.push('baris', 'baris/app', 'v1', 'the same layer')
    const blob = `/v2/ayse/app/blobs/${layer}`
    expect((await village.as('ayse', 'DELETE', blob)).status).toBe(202)
    expect((await village.as('ayse', 'GET', blob)).status).toBe(404)
    expect((await village.as('ayse', 'HEAD', blob)).status).toBe(404)
    expect((await village.as('baris', 'HEAD', `/v2/baris/app/blobs/${layer}`)).status).toBe(200)
  })

  it('CVE-2026-41888: a tag is deleted only by who may delete', async () => {
    await using village = await openVillage()
    const { manifest } = await village.push('ayse', 'ayse/app', 'v1')
    const grant = { subject: { account: 'baris' }, repository: 'ayse/app', actions: ['push'] }
    expect((await village.as('ayse', 'POST', '/api/v1/grants', { body: grant })).status).toBe(201)
    for (const reference of ['v1', manifest]) {
      const target = `/v2/ayse/app/manifests/${reference}`
      expect((await village.as('baris', 'DELETE', target)).status).toBe(403)
      expect((await village.as('baris', 'GET', target)).status).toBe(200)
    }
  })
})

describe('weaknesses of zot and Quay', () => {
  it('CVE-2024-39897: knowing a digest opens no repository, by no verb and by no mount', async () => {
    await using village = await openVillage()
    const { layer, manifest } = await village.push('ayse', 'ayse/secret', 'v1', 'secret')
    for (const method of ['GET', 'HEAD']) {
      for (const target of [`blobs/${layer}`, `manifests/${manifest}`]) {
        expect((await village.as('baris', method, `/v2/ayse/secret/${target}`)).status).toBe(403)
        expect((await village.as('baris', method, `/v2/baris/app/${target}`)).status).toBe(404)
      }
    }
    for (const from of ['&from=ayse/secret', '', '&from=nobody/nothing']) {
      const mount = `/v2/baris/app/blobs/uploads/?mount=${layer}${from}`
      expect((await village.as('baris', 'POST', mount)).status).toBe(202)
    }
    expect((await village.as('baris', 'HEAD', `/v2/baris/app/blobs/${layer}`)).status).toBe(404)
    // A manifest does not lend what its repository does not have.
    const put = { body: imageOf('{}', 'secret'), headers: { 'content-type': ociManifest } }
    expect((await village.as('baris', 'PUT', '/v2/baris/app/manifests/v1', put)).status).toBe(400)
  })

  it('CVE-2025-23208: who left a group has lost its rights, also with a token of before', async () => {
    await using village = await openVillage()
    const { registry } = village
    await village.push('ayse', 'ayse/app', 'v1')
    const member = '/api/v1/namespaces/ayse/members/baris'
    expect((await village.as('ayse', 'PUT', member, { body: { role: 'guest' } })).status).toBe(200)
    const scope = 'service=katman&scope=repository:ayse/app:pull'
    const { token } = (await village.as('baris', 'GET', `/token?${scope}`)).document
    const pull = async (): Promise<number> =>
      (await registry.ask('GET', '/v2/ayse/app/manifests/v1', { authorization: `Bearer ${token}` }))
        .status
    expect(await pull()).toBe(200)
    expect((await village.as('ayse', 'DELETE', member)).status).toBe(204)
    registry.wait(60_000)
    expect([401, 403]).toContain(await pull())
    expect((await village.as('baris', 'GET', '/v2/ayse/app/manifests/v1')).status).toBe(403)
  })

  it('CVE-2026-31801: an immutable tag holds for every name and every way to push', async () => {
    await using village = await openVillage()
    const rule = { body: { repositories: 'ayse/*', tags: '*' } }
    expect((await village.as('root', 'PUT', '/api/v1/immutable-tags', rule)).status).toBe(200)
    const first = await village.push('ayse', 'ayse/app', 'latest', 'first')
    const other = await village.push('ayse', 'ayse/app', 'other', 'second')
    const put = async (reference: string): Promise<number> => {
      const options = { body: other.bytes, headers: { 'content-type': ociManifest } }
      return (await village.as('ayse', 'PUT', `/v2/ayse/app/manifests/${reference}`, options))
        .status
    }
    expect(await put('latest')).toBeGreaterThanOrEqual(400)
    expect(await put(`${other.manifest}?tag=latest`)).toBeGreaterThanOrEqual(400)
    expect(await put(`${other.manifest}?tag=new&tag=latest`)).toBeGreaterThanOrEqual(400)
    expect((await village.as('ayse', 'DELETE', '/v2/ayse/app/manifests/latest')).status).not.toBe(
      202,
    )
    const now = await village.as('ayse', 'HEAD', '/v2/ayse/app/manifests/latest')
    expect(now.headers['docker-content-digest']).toBe(first.manifest)
  })

  it('unlimited bodies: an administration call has an end', async () => {
    await using village = await openVillage()
    const body = { name: 'x'.repeat(2 * 1024 * 1024) }
    for (const path of ['accounts/ayse/tokens', 'robots', 'webhooks', 'grants']) {
      const { status } = await village.as('ayse', 'POST', `/api/v1/${path}`, { body })
      expect([400, 413], path).toContain(status)
    }
  })

  it('CSRF: a page of another site changes nothing with the password that a browser remembers', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const strangers = [
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'same-site', origin: 'https://evil.registry.test' },
      // Browsers tell the site to who speaks TLS only.
      { origin: 'http://evil.example' },
      { origin: 'http://registry.test.evil.example' },
      { origin: 'null' },
    ]
    const calls = [
      ['POST', '/api/v1/gc', 'root'],
      ['PUT', '/api/v1/quotas/ayse', 'root'],
      ['POST', '/api/v1/webhooks', 'ayse'],
      ['PATCH', '/v2/repositories/ayse/app', 'ayse'],
      ['DELETE', '/v2/ayse/app/manifests/v1', 'ayse'],
    ] as const
    for (const headers of strangers) {
      for (const [method, path, who] of calls) {
        const { status } = await village.as(who, method, path, { body: {}, headers })
        expect(status, `${method} ${path}`).toBe(403)
      }
    }
    const own = [
      { 'sec-fetch-site': 'same-origin', origin: 'https://proxy.test' },
      { origin: 'https://registry.test' },
      {},
    ]
    for (const headers of own) {
      const edit = { body: { description: 'x' }, headers }
      const { status } = await village.as('ayse', 'PATCH', '/v2/repositories/ayse/app', edit)
      expect(status).toBe(200)
    }
  })

  it('CORS: no answer lets another site read with the user’s credentials', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const headers = { origin: 'https://evil.example' }
    for (const path of ['/v2/', '/v2/ayse/app/manifests/v1', '/api/v1/whoami', '/token']) {
      const answer = await village.as('ayse', 'GET', path, { headers })
      expect(
        Object.keys(answer.headers).filter((name) => name.startsWith('access-control')),
      ).toEqual([])
    }
  })

  it('CVE-2026-10517: addresses in a manifest are data and are never asked', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const foreign = {
      mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar',
      digest: digestOf('elsewhere'),
      size: 9,
      urls: ['http://169.254.169.254/latest/meta-data', 'file:///etc/passwd'],
    }
    const document = { ...imageOf('{}', 'v1'), layers: [foreign] }
    const put = { body: JSON.stringify(document), headers: { 'content-type': ociManifest } }
    expect((await village.as('ayse', 'PUT', '/v2/ayse/app/manifests/far', put)).status).toBe(201)
    const blob = `/v2/ayse/app/blobs/${foreign.digest}`
    expect((await village.as('ayse', 'GET', blob)).status).toBe(404)
  })

  it('a config is pushed, not pointed to: nobody reads another’s by its digest', async () => {
    await using village = await openVillage()
    const secret = JSON.stringify({ architecture: 'secret', os: 'linux' })
    const target = `/v2/ayse/app/blobs/uploads/?digest=${digestOf(secret)}`
    expect((await village.as('ayse', 'POST', target, { body: secret })).status).toBe(201)
    await village.push('baris', 'baris/app', 'v1')
    const { config, ...rest } = imageOf(secret, 'v1')
    const pointing = { ...rest, config: { ...config, urls: ['https://example.com/config'] } }
    const put = { body: JSON.stringify(pointing), headers: { 'content-type': ociManifest } }
    expect((await village.as('baris', 'PUT', '/v2/baris/app/manifests/v2', put)).status).toBe(400)
    const shown = await village.as('baris', 'GET', '/v2/repositories/baris/app/tags')
    expect(shown.text).not.toContain('secret')
  })

  it('CVE-2021-3762: no name and no digest is a path', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const hex = 'a'.repeat(64)
    for (const target of [
      `ayse/../ayse/app/manifests/v1`,
      `ayse%2Fapp/manifests/v1`,
      `ayse/%2e%2e/ayse/app/manifests/v1`,
      `ayse/app/blobs/sha256:../../../../etc/passwd`,
      `ayse/app/blobs/sha256:..%2f..%2fetc%2fpasswd`,
      `ayse/app/blobs/sha256:${hex}%00`,
      `ayse/app/blobs/SHA256:${hex}`,
      `ayse/app/blobs/sha256:${hex.toUpperCase()}`,
      `ayse/app/blobs/sha256:${hex.slice(1)}`,
      `ayse/app/blobs/md5:${hex.slice(32)}`,
      `ayse/app/blobs/uploads/../../v1`,
      `ayse//app/manifests/v1`,
      `ayse/app/manifests/..`,
      `ayse/app/manifests/%2e%2e%2fv1`,
      `_catalog/../ayse/app/manifests/v1`,
    ]) {
      const { status } = await village.as('ayse', 'GET', `/v2/${target}`)
      expect([400, 403, 404], target).toContain(status)
    }
  })
})

describe('weaknesses of Harbor', () => {
  it('CVE-2019-16097: nobody makes an administrator but an administrator', async () => {
    await using village = await openVillage()
    const body = { name: 'mine', password, is_admin: true }
    for (const who of [undefined, 'baris']) {
      const { status } = await village.as(who, 'POST', '/api/v1/accounts', { body })
      expect(status).toBe(who === undefined ? 401 : 403)
    }
    const raise = { body: { is_admin: true } }
    expect((await village.as('baris', 'PATCH', '/api/v1/accounts/baris', raise)).status).toBe(403)
    expect((await village.as('baris', 'GET', '/api/v1/whoami')).document.is_admin).toBe(false)
  })

  it('CVE-2019-19030, CVE-2020-13794, CVE-2019-3990: whether a name exists is not told', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/secret', 'v1')
    for (const who of [undefined, 'baris']) {
      const answers = await Promise.all(
        ['ayse/secret', 'ayse/nothing', 'nobody/nothing'].map(async (repository) => {
          const { status, text } = await village.as(who, 'GET', `/v2/${repository}/tags/list`)
          return [status, text.replaceAll(repository, 'REPOSITORY')]
        }),
      )
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    }
    const people = await Promise.all(
      ['ayse', 'nobody'].map(async (name) => {
        const { status, text } = await village.as('baris', 'GET', `/api/v1/accounts/${name}`)
        return JSON.stringify([status, text.replaceAll(name, 'NAME')])
      }),
    )
    expect(people[0]).toBe(people[1])
  })

  it('CVE-2019-16919: a robot is made in one’s own namespace only', async () => {
    await using village = await openVillage()
    for (const body of [
      { name: 'ayse+evil' },
      { name: 'baris+evil', grants: [{ repository: 'ayse/**', actions: ['pull'] }] },
      { name: 'baris+evil', grants: [{ repository: '**', actions: ['admin'] }] },
    ]) {
      expect((await village.as('baris', 'POST', '/api/v1/robots', { body })).status).toBe(403)
    }
  })

  it('a robot, or a token that was cut down, makes nothing public', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const right = [{ repository: 'ayse/**', actions: ['pull', 'push', 'delete', 'admin'] }]
    const robot = await village.as('ayse', 'POST', '/api/v1/robots', {
      body: { name: 'ayse+ci', grants: right },
    })
    const token = await village.as('ayse', 'POST', '/api/v1/accounts/ayse/tokens', {
      body: { name: 'ci', scopes: right },
    })
    const headers = { 'content-type': 'application/json' }
    const publish = async (authorization: string, body: object): Promise<number> =>
      (
        await village.registry.ask('PATCH', '/v2/repositories/ayse/app', {
          authorization,
          headers,
          body,
        })
      ).status
    for (const authorization of [
      basic('ayse+ci', robot.document.token),
      basic('ayse', token.document.token),
    ]) {
      expect(await publish(authorization, { description: 'x' })).toBe(200)
      expect(await publish(authorization, { is_private: false })).toBe(403)
      expect(await publish(authorization, { is_private: true })).toBe(403)
    }
    const anybody = await village.as(undefined, 'GET', '/v2/ayse/app/manifests/v1')
    expect(anybody.status).toBe(401)
    expect(await publish(basic('ayse', password), { is_private: false })).toBe(200)
  })

  it('CVE-2019-19023: nobody raises their own rights', async () => {
    await using village = await openVillage()
    const give = { subject: { account: 'baris' }, repository: 'ayse/app', actions: ['pull'] }
    await village.as('ayse', 'POST', '/api/v1/grants', { body: give })
    const body = { ...give, actions: ['admin'] }
    expect((await village.as('baris', 'POST', '/api/v1/grants', { body })).status).toBe(403)
    const member = '/api/v1/namespaces/ayse/members/baris'
    expect((await village.as('baris', 'PUT', member, { body: { role: 'owner' } })).status).toBe(403)
  })

  it('CVE-2019-19025: a page of another site changes nothing', async () => {
    await using village = await openVillage()
    const body = { name: 'evil', password }
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    const site = await village.as('root', 'POST', '/api/v1/accounts', { body, headers })
    expect(site.status).toBe(403)
    // A form cannot send JSON.
    const form = { body: JSON.stringify(body), headers: { 'content-type': 'text/plain' } }
    expect((await village.as('root', 'POST', '/api/v1/accounts', form)).status).toBe(415)
    expect((await village.as('root', 'GET', '/api/v1/accounts/evil')).status).toBe(404)
  })

  it('CVE-2019-19026, CVE-2019-19029, CVE-2024-22261: text in a query is never SQL', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const texts = ["' OR 1=1 --", "x'; DROP TABLE tags; --", '%', '_', '\\', '\u0000', '"']
    for (const text of texts) {
      const value = encodeURIComponent(text)
      for (const path of [
        `/v2/_catalog?last=${value}`,
        `/v2/ayse/app/tags/list?last=${value}`,
        `/v1/search?q=${value}`,
        `/v2/search/repositories/?query=${value}`,
        `/v2/repositories/ayse/app/tags/?name=${value}&ordering=${value}`,
        `/api/v1/audit?action=${value}`,
        `/api/v1/robots?namespace=${value}`,
        `/v2/ayse/app/referrers/${digestOf('x')}?artifactType=${value}`,
      ]) {
        const { status, text: answer } = await village.as('root', 'GET', path)
        expect(status, `${path} ${answer}`).toBeLessThan(500)
      }
    }
    // A wildcard of SQL is a letter like any other.
    expect((await village.as('ayse', 'GET', '/v1/search?q=%25')).document.results).toEqual([])
    expect((await village.as('ayse', 'GET', '/v2/ayse/app/tags/list')).document.tags).toEqual([
      'v1',
    ])
  })

  it('CVE-2020-13788: a webhook does not reach into the network', async () => {
    await using village = await openVillage()
    for (const url of [
      'http://169.254.169.254/latest',
      'http://127.0.0.1:1/',
      'http://[::1]/',
      'http://[::ffff:127.0.0.1]/',
      'http://2130706433/',
      'http://0177.0.0.1/',
      'file:///etc/passwd',
      'gopher://127.0.0.1/',
    ]) {
      const made = await village.as('ayse', 'POST', '/api/v1/webhooks', {
        body: { url, namespace: 'ayse' },
      })
      if (made.status === 400) continue
      const { status, text } = await village.as(
        'ayse',
        'POST',
        `/api/v1/webhooks/${made.document.id}/test`,
      )
      expect(text, `${url} ${status}`).toMatch(/not allowed|refused|private|ADDRESS_REFUSED/i)
    }
  })

  it('CVE-2020-29662: the catalog is for those who came in, and shows what they may see', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/secret', 'v1')
    const anybody = await village.as(undefined, 'GET', '/v2/_catalog')
    expect(anybody.text).not.toContain('secret')
    for (const path of [
      '/v2/_catalog',
      '/v1/search?q=secret',
      '/v2/search/repositories/?query=secret',
    ]) {
      expect((await village.as('baris', 'GET', path)).text, path).not.toContain('ayse/secret')
    }
    // Nor does a page lead to the next one by a name between them.
    await village.push('baris', 'baris/app', 'v1')
    await village.push('root', 'between/secret', 'v1')
    await village.push('root', 'open/app', 'v1')
    await village.registry.grant({ kind: 'anonymous' }, 'open/*', ['pull'])
    const page = await village.as('baris', 'GET', '/v2/_catalog?n=1')
    expect(page.document).toEqual({ repositories: ['baris/app'] })
    expect(page.headers['link']).toBe('</v2/_catalog?n=1&last=baris%2Fapp>; rel="next"')
    const next = await village.as('baris', 'GET', '/v2/_catalog?n=1&last=baris/app')
    expect(next.document).toEqual({ repositories: ['open/app'] })
  })

  it('CVE-2022-31666 to 31671: what belongs to others is not there', async () => {
    await using village = await openVillage()
    const hook = { url: 'https://hooks.example/x', namespace: 'ayse' }
    const made = await village.as('ayse', 'POST', '/api/v1/webhooks', { body: hook })
    expect(made.status).toBe(201)
    const one = `/api/v1/webhooks/${made.document.id}`
    const token = await village.as('ayse', 'POST', '/api/v1/accounts/ayse/tokens', {
      body: { name: 'x' },
    })
    for (const [method, path, body] of [
      ['GET', one],
      ['DELETE', one],
      ['GET', `${one}/deliveries`],
      ['POST', `${one}/test`],
      ['GET', '/api/v1/webhooks?namespace=ayse'],
      ['DELETE', `/api/v1/accounts/ayse/tokens/${token.document.id}`],
      ['GET', '/api/v1/robots?namespace=ayse'],
      ['PUT', '/api/v1/immutable-tags', { repositories: 'ayse/*' }],
      ['GET', '/api/v1/retention'],
      ['POST', '/api/v1/retention/run'],
      ['GET', '/api/v1/quotas/ayse'],
      ['POST', '/api/v1/gc'],
      ['POST', '/api/v1/scrub'],
    ] as const) {
      const { status } = await village.as('baris', method, path, body === undefined ? {} : { body })
      expect([403, 404], `${method} ${path}`).toContain(status)
    }
    expect((await village.as('ayse', 'GET', one)).status).toBe(200)
  })

  it('CVE-2023-20902: an unknown user takes as much work as a wrong password', async () => {
    await using village = await openVillage()
    const { registry } = village
    const wrong = (user: string): ReturnType<typeof registry.ask> =>
      registry.ask('GET', '/v2/', {
        authorization: `Basic ${Buffer.from(`${user}:wrong`).toString('base64')}`,
      })
    const timed = async (user: string): Promise<number> => {
      const start = performance.now()
      expect((await wrong(user)).status).toBe(401)
      return performance.now() - start
    }
    const [known, unknown] = [await timed('ayse'), await timed('nobody')]
    // The work of argon2 is tens of milliseconds; without it an answer takes less than one.
    expect(Math.min(known, unknown)).toBeGreaterThan(Math.max(known, unknown) / 10)
    expect((await wrong('ayse')).text).toBe((await wrong('nobody')).text)
  })

  it('CVE-2024-22244: no answer leads to an address that the client chose', async () => {
    await using village = await openVillage()
    for (const headers of [
      { host: 'evil.example' },
      { 'x-forwarded-host': 'evil.example' },
      { forwarded: 'host=evil.example' },
    ]) {
      const { headers: answered, status } = await village.as(
        'ayse',
        'POST',
        '/v2/ayse/app/blobs/uploads/',
        { headers },
      )
      expect(status).toBe(202)
      expect(answered['location']).toMatch(/^\/v2\/ayse\/app\/blobs\/uploads\//)
    }
    for (const callback of ['//evil.example', '/\\evil.example', 'https://evil.example']) {
      for (const path of ['/token', '/oidc/login', '/v2/']) {
        const value = encodeURIComponent(callback)
        const { headers } = await village.as(
          'ayse',
          'GET',
          `${path}?callback=${value}&redirect_uri=${value}`,
        )
        expect(headers['location'] ?? '', path).not.toContain('evil')
      }
    }
  })

  it('CVE-2024-22278: who pushes does not change the settings', async () => {
    await using village = await openVillage()
    const role = { body: { role: 'developer' } }
    const member = '/api/v1/namespaces/ayse/members/baris'
    const made = await village.as('ayse', 'PUT', member, role)
    expect([200, 400]).toContain(made.status)
    const grant = {
      subject: { account: 'baris' },
      repository: 'ayse/*',
      actions: ['push', 'delete'],
    }
    expect((await village.as('ayse', 'POST', '/api/v1/grants', { body: grant })).status).toBe(201)
    await village.push('baris', 'ayse/app', 'v1')
    const visibility = { body: { visibility: 'public' } }
    const target = '/api/v1/repositories/ayse/app/visibility'
    expect((await village.as('baris', 'PUT', target, visibility)).status).toBe(403)
    const hook = { body: { url: 'https://hooks.example/', namespace: 'ayse' } }
    expect((await village.as('baris', 'POST', '/api/v1/webhooks', hook)).status).toBe(403)
  })

  it('CVE-2025-30086: no filter finds out what is kept secret', async () => {
    await using village = await openVillage()
    const everything = await village.as('root', 'GET', '/api/v1/accounts')
    expect(everything.text).not.toMatch(/argon2|password_hash|"password"/)
    for (const query of ['password=~a', 'password_hash=a', 'q=password~a', 'sort=password']) {
      const filtered = await village.as('root', 'GET', `/api/v1/accounts?${query}`)
      expect([everything.text, filtered.status < 500 ? '' : 'failed']).toContain(
        filtered.status === 200 ? filtered.text : '',
      )
    }
  })

  it('CVE-2025-32019: a description is text in JSON, with a type that no browser runs', async () => {
    await using village = await openVillage()
    await village.push('ayse', 'ayse/app', 'v1')
    const target = '/v2/repositories/ayse/app/'
    const text = '<script>alert(1)</script>'
    const changed = await village.as('ayse', 'PATCH', target, { body: { description: text } })
    expect(changed.status).toBe(200)
    const got = await village.as('ayse', 'GET', target)
    expect(got.document.description).toBe(text)
    expect(got.headers['content-type']).toMatch(/^application\/json/)
    const long = { body: { full_description: 'x'.repeat(1024 * 1024) } }
    expect([400, 413]).toContain((await village.as('ayse', 'PATCH', target, long)).status)
  })

  it('CVE-2026-4404: there is no password that comes with the program', async () => {
    await using village = await openVillage()
    for (const [user, guess] of [
      ['admin', 'Harbor12345'],
      ['admin', 'admin'],
      ['admin', ''],
      ['root', ''],
      ['katman', 'katman'],
      ['', ''],
    ] as const) {
      const authorization = `Basic ${Buffer.from(`${user}:${guess}`).toString('base64')}`
      const { status } = await village.registry.ask('GET', '/v2/', { authorization })
      expect([401, 429]).toContain(status)
    }
  })

  it('GHSA-prh4-vhfh-24mj, CVE-2025-48374: secrets are in no audit entry and no list', async () => {
    await using village = await openVillage()
    const hook = {
      url: 'https://hooks.example/secret-path',
      namespace: 'ayse',
      secret: 'whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0',
    }
    await village.as('ayse', 'POST', '/api/v1/webhooks', { body: hook })
    const body = { password: 'brand-new-password' }
    await village.as('root', 'PUT', '/api/v1/accounts/ayse/password', { body })
    const made = await village.as('baris', 'POST', '/api/v1/accounts/baris/tokens', {
      body: { name: 'x' },
    })
    const audit = await village.as('root', 'GET', '/api/v1/audit?n=100')
    expect(audit.document.entries.length).toBeGreaterThan(2)
    for (const secret of ['brand-new-password', made.document.token, hook.secret, 'secret-path']) {
      expect(audit.text).not.toContain(secret)
    }
    const list = await village.as('baris', 'GET', '/api/v1/accounts/baris/tokens')
    expect(list.text).not.toContain(made.document.token)
  })
})

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
