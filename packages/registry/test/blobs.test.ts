import { describe, expect, it } from 'vitest'
import { codesOf, digestOf, startRegistry, storages } from './support.ts'

const content = Array.from({ length: 1000 }, (_, at) => at % 10).join('')

describe.each(storages)('blobs in %s', (kind) => {
  it('are served with exact bytes, length, digest and validator', async () => {
    await using registry = await startRegistry(kind)
    const digest = await registry.addBlob('team/app', content)
    for (const method of ['GET', 'HEAD']) {
      const response = await registry.send(method, `team/app/blobs/${digest}`)
      expect(response.status).toBe(200)
      expect(response.headers.get('content-length')).toBe('1000')
      expect(response.headers.get('docker-content-digest')).toBe(digest)
      expect(response.headers.get('etag')).toBe(`"${digest}"`)
      expect(response.headers.get('accept-ranges')).toBe('bytes')
      expect(await response.text()).toBe(method === 'GET' ? content : '')
    }
  })

  it.each([
    ['bytes=500-1499', 500, 1000],
    ['bytes=500-', 500, 1000],
    ['bytes=-300', 700, 1000],
    ['bytes=-5000', 0, 1000],
    ['bytes=0-0', 0, 1],
    ['bytes=999-', 999, 1000],
    ['bytes=200-5000', 200, 1000],
  ])('are served in part: %s', async (range, start, end) => {
    await using registry = await startRegistry(kind)
    const digest = await registry.addBlob('team/app', content)
    const response = await registry.send('GET', `team/app/blobs/${digest}`, { headers: { range } })
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/1000`)
    expect(response.headers.get('content-length')).toBe(String(end - start))
    expect(await response.text()).toBe(content.slice(start, end))
  })

  it.each(['bytes=500-0', 'bytes=1000-', 'bytes=5000-10000', 'bytes=-0'])(
    'refuse the range %s',
    async (range) => {
      await using registry = await startRegistry(kind)
      const digest = await registry.addBlob('team/app', content)
      const response = await registry.send('GET', `team/app/blobs/${digest}`, {
        headers: { range },
      })
      expect(response.status).toBe(416)
      expect(response.headers.get('content-range')).toBe('bytes */1000')
    },
  )

  it('are served whole when the range may be ignored', async () => {
    await using registry = await startRegistry(kind)
    const digest = await registry.addBlob('team/app', content)
    for (const headers of [
      { range: 'bytes=0-1,5-6' },
      { range: 'lines=0-1' },
      { range: 'bytes=-' },
      { range: 'bytes=0-1', 'if-range': '"another"' },
    ]) {
      const response = await registry.send('GET', `team/app/blobs/${digest}`, { headers })
      expect(response.status).toBe(200)
      expect(await response.text()).toBe(content)
    }
  })

  it('may be empty', async () => {
    await using registry = await startRegistry(kind)
    const digest = await registry.addBlob('team/app', '')
    const response = await registry.send('GET', `team/app/blobs/${digest}`)
    expect([response.status, response.headers.get('content-length')]).toEqual([200, '0'])
    const part = await registry.send('GET', `team/app/blobs/${digest}`, {
      headers: { range: 'bytes=0-' },
    })
    expect(part.status).toBe(416)
  })

  it('are of the repository they were pushed to and of no other', async () => {
    await using registry = await startRegistry(kind)
    const digest = await registry.addBlob('team/app', content)
    for (const name of ['team/other', 'team', 'team/app/deeper']) {
      const response = await registry.send('GET', `${name}/blobs/${digest}`)
      expect(response.status).toBe(404)
      expect(await codesOf(response)).toEqual(['BLOB_UNKNOWN'])
    }
  })

  it('are gone after DELETE, there only', async () => {
    await using registry = await startRegistry(kind)
    const digest = await registry.addBlob('team/app', content)
    await registry.addBlob('team/other', content)
    expect((await registry.send('DELETE', `team/app/blobs/${digest}`)).status).toBe(202)
    expect((await registry.send('HEAD', `team/app/blobs/${digest}`)).status).toBe(404)
    expect((await registry.send('DELETE', `team/app/blobs/${digest}`)).status).toBe(404)
    expect((await registry.send('HEAD', `team/other/blobs/${digest}`)).status).toBe(200)
  })

  it('may have a sha512 digest', async () => {
    await using registry = await startRegistry(kind)
    const digest = digestOf(content, 'sha512')
    const pushed = await registry.send('POST', `app/blobs/uploads/?digest=${digest}`, {
      body: content,
    })
    expect(pushed.status).toBe(201)
    const response = await registry.send('GET', `app/blobs/${digest}`)
    expect(await response.text()).toBe(content)
  })
})
