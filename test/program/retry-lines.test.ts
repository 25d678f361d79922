import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cut, refusal } from '../hostile/faults.ts'
import { addImage } from '../hostile/hostile-image.ts'
import { type HostileRegistry, startHostileRegistry } from '../hostile/hostile-registry.ts'
import { openProgram, type TestProgram } from './run-in-process.ts'

// Whoever waits is told so: docker's words for a layer that is tried again.

let katman: TestProgram
let registry: HostileRegistry
let layer: string

beforeEach(async () => {
  katman = await openProgram()
  registry = await startHostileRegistry()
  layer = (await addImage(registry.storage)).layers[1].digest
})
afterEach(async () => {
  await registry[Symbol.asyncDispose]()
  await katman[Symbol.asyncDispose]()
})

describe('a layer that is tried again', () => {
  it('is shown so by pull, and by push', async () => {
    registry.disturb(new RegExp(`GET .*${layer}`), cut(30), 1)
    const pulled = await katman.run('pull', `${registry.host}/team/app`)
    expect(pulled).toMatchObject({ exitCode: 0, stderr: '' })
    expect(pulled.stdout).toMatch(/\n\w{12}: Retrying in 1 second\n(.*\n)*\w{12}: Pull complete\n/)

    await katman.run('tag', `${registry.host}/team/app`, `${registry.host}/moved/app`)
    registry.disturb(
      new RegExp(`POST .*mount=${encodeURIComponent(layer)}`),
      refusal(503, 'UNAVAILABLE'),
      1,
    )
    const pushed = await katman.run('push', `${registry.host}/moved/app`)
    expect(pushed).toMatchObject({ exitCode: 0, stderr: '' })
    expect(pushed.stdout).toMatch(/\n\w{12}: Retrying in 1 second\n/)
    expect(pushed.stdout).not.toContain('undefined')
  })
})
