import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { decompressed } from '@katman/layer'
import { expect, it } from 'vitest'
import { describePeers } from '../peers/require-peer.ts'

// What the real programs pack, read by ours.

/** Text, noise that cannot be packed, long runs, and again what stood a megabyte before. */
function mixture(): Buffer {
  const lines = Array.from({ length: 30_000 }, (_, line) => `/usr/share/doc/${line * 7}: ${line}\n`)
  const words = Buffer.from(lines.join(''))
  const noise = randomBytes(300_000)
  return Buffer.concat([words, noise, Buffer.alloc(3_000_000), words, noise, Buffer.from('end')])
}

async function pack(program: string, words: readonly string[], bytes: Buffer): Promise<Buffer> {
  const child = spawn(program, ['-c', ...words], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(bytes)
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function hashOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of bytes) hash.update(chunk)
  return hash.digest('hex')
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 50_000) yield bytes.subarray(at, at + 50_000)
}

const unpackedHash = (bytes: Uint8Array): Promise<string> =>
  hashOf(decompressed(inPieces(bytes), 'detect'))

describePeers('packed by the real program', ['xz', 'bzip2'], () => {
  const bytes = mixture()
  const expected = createHash('sha256').update(bytes).digest('hex')

  it.each([
    ['-0'],
    ['-6'],
    ['-9e'],
    ['--check=none'],
    ['--check=crc32'],
    ['--check=sha256'],
    ['--block-size=500000'],
    ['-T2'],
    ['--lzma2=dict=4KiB'],
    ['--lzma2=dict=96MiB'],
    ['--lzma2=lc=4,lp=0,pb=4'],
    ['--lzma2=lc=0,lp=4,pb=0'],
    ['--lzma2=mode=fast,mf=hc3'],
  ])('xz %s gives the same bytes', async (...words) => {
    expect(await unpackedHash(await pack('/usr/bin/xz', words, bytes))).toBe(expected)
  })

  it.each([['-1'], ['-5'], ['-9']])('bzip2 %s gives the same bytes', async (...words) => {
    expect(await unpackedHash(await pack('/usr/bin/bzip2', words, bytes))).toBe(expected)
  })

  it.each(['/usr/bin/xz', '/usr/bin/bzip2'])('%s, stream after stream', async (program) => {
    const parts = [bytes.subarray(0, 1000), bytes.subarray(1000, 1_000_000), bytes.subarray(1e6)]
    const streams = await Promise.all(parts.map((part) => pack(program, [], part)))
    expect(await unpackedHash(Buffer.concat(streams))).toBe(expected)
  })

  it.each([
    ['--x86', '--lzma2'],
    ['--arm', '--lzma2'],
    ['--delta', '--lzma2'],
    ['--lzma2=dict=256MiB'],
  ])('xz %s is refused by name', async (...words) => {
    const packed = await pack('/usr/bin/xz', words, bytes.subarray(0, 10_000))
    await expect(unpackedHash(packed)).rejects.toMatchObject({ code: 'COMPRESSION_UNSUPPORTED' })
  })
})
