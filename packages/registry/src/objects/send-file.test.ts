import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createChunkPool } from './chunk-pool.ts'
import { sendableFile } from './send-file.ts'

const content = randomBytes(3_500_000)
let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'katman-send-'))
  file = path.join(folder, 'object')
  await writeFile(file, content)
})
afterAll(() => rm(folder, { recursive: true }))

async function collect(
  range: { readonly start: number; readonly end: number },
  most: number,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  await sendableFile(file, range, createChunkPool(most)).sendTo(async (chunk) => {
    const copy = Buffer.from(chunk)
    await new Promise((resolve) => setImmediate(resolve))
    // While it leaves nobody writes into it.
    expect(copy.equals(chunk)).toBe(true)
    chunks.push(copy)
  })
  return Buffer.concat(chunks)
}

describe('sendableFile', () => {
  it.each([
    [0, 3_500_000],
    [1, 2],
    [0, 65_536],
    [100, 65_637],
    [1_048_575, 2_097_153],
    [3_499_999, 3_500_000],
    [5, 5],
  ])(
    'gives the bytes from %i to %i, with large buffers, with one, and without',
    async (start, end) => {
      for (const most of [48, 1, 0]) {
        const found = await collect({ start, end }, most)
        expect(found.equals(content.subarray(start, end))).toBe(true)
      }
    },
  )

  it('gives its buffers back when the client goes away, and when the file is too short', async () => {
    const pool = createChunkPool(2)
    const range = { start: 0, end: 4_000_000 }
    const gone = sendableFile(file, range, pool).sendTo(async () => {
      throw new Error('gone')
    })
    await expect(gone).rejects.toThrow('gone')
    await expect(sendableFile(file, range, pool).sendTo(async () => undefined)).rejects.toThrow(
      'ends at',
    )
    await expect(
      sendableFile(`${file}x`, range, pool).sendTo(async () => undefined),
    ).rejects.toThrow('ENOENT')
    expect([pool.take(), pool.take(), pool.take()].map((buffer) => buffer?.byteLength)).toEqual([
      1_048_576,
      1_048_576,
      undefined,
    ])
  })
})
