import { describe, expect, it } from 'vitest'
import { addImage, codesOf, digestOf, startRegistry, storages } from './support.ts'

describe.each(storages)('lists in %s', (kind) => {
  it('give tags sorted, page by page', async () => {
    await using registry = await startRegistry(kind)
    for (const tag of ['b', 'a', '10', 'B', '_x', '9'])
      await addImage(registry, 'team/app', tag, 'x')
    const all = ['10', '9', 'B', '_x', 'a', 'b']
    const whole = await registry.send('GET', 'team/app/tags/list')
    expect(await whole.json()).toEqual({ name: 'team/app', tags: all })
    expect(whole.headers.get('link')).toBeNull()

    const found: unknown[] = []
    let next: string | undefined = 'team/app/tags/list?n=2'
    for (let pages = 0; next !== undefined; pages++) {
      expect(pages).toBeLessThan(3)
      const response: Response = await registry.send('GET', next)
      found.push(await response.json())
      const link: string | null = response.headers.get('link')
      next = link === null ? undefined : /^<\/v2\/([^>]+)>; rel="next"$/.exec(link)?.[1]
    }
    expect(found).toEqual([
      { name: 'team/app', tags: all.slice(0, 2) },
      { name: 'team/app', tags: all.slice(2, 4) },
      { name: 'team/app', tags: all.slice(4) },
    ])
    const last = await registry.send('GET', 'team/app/tags/list?last=B&n=100')
    expect(await last.json()).toEqual({ name: 'team/app', tags: ['_x', 'a', 'b'] })
    const none = await registry.send('GET', 'team/app/tags/list?n=0')
    expect(await none.json()).toEqual({ name: 'team/app', tags: [] })
    const odd = await registry.send('GET', 'team/app/tags/list?n=-1')
    expect([odd.status, await codesOf(odd)]).toEqual([400, ['PAGINATION_NUMBER_INVALID']])
  })

  it('give repositories sorted, page by page', async () => {
    await using registry = await startRegistry(kind)
    for (const name of ['b', 'a/c/d', 'a-b', 'a/c']) await addImage(registry, name, 'latest', 'x')
    const whole = await registry.send('GET', '_catalog')
    expect(await whole.json()).toEqual({ repositories: ['a-b', 'a/c', 'a/c/d', 'b'] })
    const page = await registry.send('GET', '_catalog?n=1&last=a-b')
    expect(await page.json()).toEqual({ repositories: ['a/c'] })
    expect(page.headers.get('link')).toBe('</v2/_catalog?n=1&last=a%2Fc>; rel="next"')
  })

  it('know repositories without tags from unknown ones', async () => {
    await using registry = await startRegistry(kind)
    await registry.addBlob('app', 'x')
    const empty = await registry.send('GET', 'app/tags/list')
    expect(await empty.json()).toEqual({ name: 'app', tags: [] })
    const unknown = await registry.send('GET', 'ap/tags/list')
    expect([unknown.status, await codesOf(unknown)]).toEqual([404, ['NAME_UNKNOWN']])
  })
})

describe('paths', () => {
  it('say that the API is there', async () => {
    await using registry = await startRegistry()
    const response = await registry.send('GET', '')
    expect(response.status).toBe(200)
    expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0')
  })

  it.each([
    ['App/manifests/1', 400, 'NAME_INVALID'],
    ['a..b/manifests/1', 400, 'NAME_INVALID'],
    ['a//b/manifests/1', 400, 'NAME_INVALID'],
    ['a%2Fb/manifests/1', 400, 'NAME_INVALID'],
    ['a%2F..%2Fb/manifests/1', 400, 'NAME_INVALID'],
    ['-a/tags/list', 400, 'NAME_INVALID'],
    [`${'a'.repeat(256)}/tags/list`, 400, 'NAME_INVALID'],
    ['_catalog/tags/list', 400, 'NAME_INVALID'],
    ['app/manifests/-tag', 400, 'TAG_INVALID'],
    ['app/manifests/..%2f..%2fversion', 400, 'NAME_INVALID'],
    [`app/manifests/${'t'.repeat(129)}`, 400, 'TAG_INVALID'],
    ['app/manifests/sha256:baddigeststring', 400, 'DIGEST_INVALID'],
    ['app/blobs/sha256:ABCDEF', 400, 'DIGEST_INVALID'],
    ['app/blobs/latest', 400, 'DIGEST_INVALID'],
    ['app/referrers/latest', 400, 'DIGEST_INVALID'],
    ['app/blobs/uploads/nothing', 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['app/manifests/unknown', 404, 'MANIFEST_UNKNOWN'],
    ['app', 404, 'NAME_UNKNOWN'],
    ['app/tags', 404, 'NAME_UNKNOWN'],
  ])('are refused: %s', async (path, status, code) => {
    await using registry = await startRegistry()
    const response = await registry.send('GET', path)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect([response.status, await codesOf(response)]).toEqual([status, [code]])
  })

  it('are read from the right', async () => {
    await using registry = await startRegistry()
    for (const name of ['blobs', 'manifests/tags', 'v2/blobs/uploads/tags', 'tags/list']) {
      const digest = await addImage(registry, name, 'list', 'x')
      const response = await registry.send('HEAD', `${name}/manifests/list`)
      expect(response.headers.get('docker-content-digest')).toBe(digest)
      const tags = await registry.send('GET', `${name}/tags/list`)
      expect(await tags.json()).toEqual({ name, tags: ['list'] })
    }
  })

  it.each([
    ['POST', 'app/manifests/1', 'GET, HEAD, PUT, DELETE'],
    ['PUT', `app/blobs/${digestOf('')}`, 'GET, HEAD, DELETE'],
    ['GET', 'app/blobs/uploads/', 'POST'],
    ['DELETE', 'app/tags/list', 'GET'],
    ['POST', '_catalog', 'GET'],
  ])('take their own methods only: %s %s', async (method, path, allow) => {
    await using registry = await startRegistry()
    const response = await registry.send(method, path)
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow])
    expect(await codesOf(response)).toEqual(['UNSUPPORTED'])
  })

  it('are reported as requests arrive', async () => {
    const events: unknown[] = []
    await using registry = await startRegistry('memory', {
      onRequest: (event) => void events.push(event),
    })
    await registry.send('HEAD', 'app/manifests/1?x=y')
    expect(events).toEqual([{ method: 'HEAD', path: '/v2/app/manifests/1' }])
  })
})
