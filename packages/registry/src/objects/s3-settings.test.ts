import { describe, expect, it } from 'vitest'
import { partBytes } from './s3-parts.ts'
import { parseS3Url } from './s3-settings.ts'

describe('parseS3Url', () => {
  it("needs only a bucket at Amazon's", () => {
    expect(parseS3Url('s3://images')).toEqual({
      bucket: 'images',
      prefix: '',
      endpoint: undefined,
      linkEndpoint: undefined,
      region: 'us-east-1',
      isPathStyle: false,
      timeoutMs: 60_000,
      attempts: 6,
      credentials: undefined,
    })
  })

  it('takes another server, a prefix and a key', () => {
    const url =
      's3://key:s%2Fcret@images/a/b/?endpoint=http://127.0.0.1:9000&region=eu&link-endpoint=https://s3.example&timeout=5&attempts=3'
    expect(parseS3Url(url)).toEqual({
      bucket: 'images',
      prefix: 'a/b/',
      endpoint: 'http://127.0.0.1:9000',
      linkEndpoint: 'https://s3.example',
      region: 'eu',
      isPathStyle: true,
      timeoutMs: 5000,
      attempts: 3,
      credentials: { accessKeyId: 'key', secretAccessKey: 's/cret' },
    })
  })

  it.each([
    'images',
    's3://',
    's3://key:s3cret@images?colour=red',
    's3://key:s3cret@images?endpoint=127.0.0.1',
    's3://key:s3cret@images?path-style=yes',
    's3://key:s3cret@images?timeout=0',
    's3://s3cret@images',
  ])('refuses %s and does not repeat a secret', (url) => {
    let message = ''
    try {
      parseS3Url(url)
    } catch (error) {
      expect(error).toMatchObject({ code: 'STORAGE_URL_INVALID' })
      message = String(error)
    }
    expect(message).not.toBe('')
    expect(message).not.toContain('s3cret')
  })
})

describe('partBytes', () => {
  it('lets 10,000 parts hold more than a terabyte, and 10 GB cost little memory', () => {
    const sizes = Array.from({ length: 10_000 }, (_, at) => partBytes(at + 1))
    const sum = (numbers: readonly number[]) => numbers.reduce((one, other) => one + other, 0)
    expect(sum(sizes)).toBeGreaterThan(1e12)
    // Two on their way, one that is gathered.
    expect(3 * partBytes(2000)).toBeLessThanOrEqual(16 * 1024 * 1024)
    expect(sum(sizes.slice(0, 2000))).toBeGreaterThan(10e9)
    // Pieces that are just large enough use up no more than 4,000 parts.
    expect(4000 * 5 * 1024 * 1024 + sum(sizes.slice(4000))).toBeGreaterThan(1e12)
  })
})
