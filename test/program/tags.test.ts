import { parseDigest } from '@katman/oci'
import { openMemoryStorage, serveRegistry } from '@katman/registry'
import { expect, it } from 'vitest'
import { openProgram } from './run-in-process.ts'
import { placeTag } from '../registry/content.ts'

it('tags shows the newest versions first, all of them or so many', async () => {
  await using katman = await openProgram()
  const storage = await openMemoryStorage()
  const digest = parseDigest(`sha256:${'0'.repeat(64)}`)
  for (const tag of ['1.10', '1.9', 'edge', '1.10-rc1', 'v2', 'latest', 'a1', '1.10.1', '2025_x']) {
    await placeTag(storage, 'team/app', tag, digest)
  }
  const registry = await serveRegistry({ storage })
  try {
    const name = `${registry.host}/team/app`
    const all = ['latest', '2025_x', 'v2', '1.10.1', '1.10', '1.10-rc1', '1.9', 'a1', 'edge']
    expect((await katman.run('tags', '-q', name)).stdout).toBe(
      all.map((tag) => `${tag}\n`).join(''),
    )
    const some = await katman.run('tags', '--no-digests', '--limit', '2', name)
    expect(some.stdout).toBe('TAG\nlatest\n2025_x\n')
    expect(await katman.run('tags', '--limit', '0', name)).toMatchObject({
      exitCode: 1,
      stderr: '--limit must be above 0\n',
    })
  } finally {
    await registry.close()
  }
})
