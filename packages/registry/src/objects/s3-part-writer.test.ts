import { expect, it } from 'vitest'
import type { S3Bucket } from './s3-bucket.ts'
import { createPartMemory } from './s3-part-memory.ts'
import { PartWriter } from './s3-part-writer.ts'
import { leastPartBytes } from './s3-parts.ts'

it('sends every byte of many uploads, with no more parts on their way than all may have together', async () => {
  let [now, most] = [0, 0]
  const stored = new Map<string, Buffer[]>()
  // What a writer asks of a bucket.
  const fake: Pick<S3Bucket, 'beginParts' | 'putPart'> = {
    beginParts: async (name) => name,
    async putPart(name, _, number, body) {
      now += 1
      most = Math.max(most, now)
      await new Promise((resolve) => setImmediate(resolve))
      now -= 1
      if (name === 'fails') throw new Error('not today')
      const parts = stored.get(name) ?? []
      parts[number - 1] = Buffer.from(body)
      stored.set(name, parts)
      return `${number}`
    },
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a new upload asks for nothing else
  const bucket = fake as S3Bucket
  const memory = createPartMemory(2 * leastPartBytes)
  const upload = async (name: string): Promise<PartWriter> => {
    const writer = new PartWriter(
      { bucket, memory },
      name,
      { id: undefined, parts: [], tail: { size: 0 } },
      0,
    )
    writer.start(new Uint8Array())
    const chunk = Buffer.alloc(leastPartBytes / 2, name)
    try {
      for (let count = 0; count < 8; count += 1) await writer.write(chunk)
    } catch {
      // It is the failure.
    }
    await writer.end()
    return writer
  }
  const [fails, ...good] = await Promise.all(['fails', 'a', 'b', 'c'].map(upload))
  expect(fails?.failure).toEqual(new Error('not today'))
  expect(good.map(({ size }) => size)).toEqual([1, 2, 3].map(() => 4 * leastPartBytes))
  for (const name of ['a', 'b', 'c']) {
    const whole = Buffer.concat(stored.get(name) ?? [])
    expect(whole.equals(Buffer.alloc(4 * leastPartBytes, name))).toBe(true)
  }
  expect(most).toBe(2)
})
