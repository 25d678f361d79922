import { createHash } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { mediaTypes, parseDigest } from '@katman/oci'
import { openStore } from '../src/index.ts'
import { openNodeFiles } from '../src/node-files.ts'

// A process for tests: node write-process.ts ROOT whole|stall|hold [no-locks]
// `stall` stops for ever after half of the content, `hold` keeps the store open after all of it.

const [root = '', mode, locks] = process.argv.slice(2)
const bytes = Buffer.alloc(400_000, 'content of the blob ')
const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
const descriptor = { mediaType: mediaTypes.ociEmpty, digest, size: bytes.byteLength }
const real = openNodeFiles()
const files = locks === 'no-locks' ? { ...real, lock: () => 'unsupported' as const } : real

await using store = await openStore({ root, files })
await store.write(descriptor, async (start) => contentFrom(start), {
  onProgress: (progress) => {
    const isHalf = progress.state === 'receiving' && progress.bytes * 2 === bytes.byteLength
    if (isHalf && mode !== 'stall') say('half')
  },
})
say('done')
if (mode === 'hold') {
  say('held')
  await wait(60_000)
}

async function* contentFrom(start: number): AsyncGenerator<Uint8Array> {
  say(`open ${start}`)
  const half = bytes.byteLength / 2
  if (start < half) yield bytes.subarray(start, half)
  if (mode === 'stall') {
    // More chunks, of nothing: what came is written although the content does not go on.
    for (let isKept = false; ;) {
      await wait(20)
      if (!isKept && keptBytes() >= half) {
        isKept = true
        say('half')
      }
      yield new Uint8Array(0)
    }
  }
  await wait(100)
  yield bytes.subarray(Math.max(start, half))
}

/** What another process would find of the download. */
function keptBytes(): number {
  const [folder = ''] = readdirSync(path.join(root, 'ingest'))
  return statSync(path.join(root, 'ingest', folder, 'data')).size
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
