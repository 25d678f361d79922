import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRegistry } from './open-registry.ts'

const request = {
  method: 'GET',
  path: '/v2/',
  query: new URLSearchParams(),
  header: () => undefined,
  body: (async function* nothing(): AsyncGenerator<Uint8Array> {})(),
}

describe('openRegistry', () => {
  it('answers from memory when no folder is given', async () => {
    await using registry = await openRegistry({ isOpen: true })
    expect(await registry.handle(request)).toMatchObject({ status: 200 })
    await registry.check()
  })

  it('is closed once, however often it is told to', async () => {
    await using registry = await openRegistry({ isOpen: true })
    await Promise.all([registry.close(), registry.close()])
    await registry.close()
  })

  it('makes its folder, twice the same', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'katman-open-registry-'))
    try {
      const folder = path.join(root, 'deep', 'registry')
      for (const _ of [1, 2]) {
        await using registry = await openRegistry({ folder, isOpen: true })
        await registry.start()
        expect(await registry.handle(request)).toMatchObject({ status: 200 })
      }
    } finally {
      await rm(root, { recursive: true })
    }
  })
})
