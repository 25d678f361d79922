import { mkdtemp, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseReference } from '@katman/oci'
import { checkStore, openStore, pullImage } from '@katman/store'
import { afterAll, describe, expect, it } from 'vitest'
import { addImage, type HostileImage, platform } from '../hostile/hostile-image.ts'
import { startHostileRegistry } from '../hostile/hostile-registry.ts'
import {
  answerFaults,
  bodyFaults,
  expectedOutcome,
  type FaultKind,
  resumeFaults,
} from './catalogue.ts'
import { openClient } from './client.ts'
import { createFaultTable, outcomeOf } from './fault-table.ts'

// Every fault against every request of a pull. Whatever happens, it ends in success or a coded error, the store is
// whole, nothing of a failed pull can be seen, and the next pull succeeds.

const operations: Readonly<Record<string, (image: HostileImage) => RegExp>> = {
  token: () => /GET \/token/,
  tag: () => /(HEAD|GET) .*manifests\/latest/,
  index: ({ index }) => new RegExp(`GET .*manifests/${index.digest}`),
  manifest: ({ manifest }) => new RegExp(`GET .*manifests/${manifest.digest}`),
  config: ({ config }) => new RegExp(`GET .*blobs/${config.digest}`),
  layer: ({ layers }) => new RegExp(`GET .*blobs/${layers[1].digest}`),
}
const table = createFaultTable('pull', Object.keys(operations))
afterAll(() => table.print())

describe('a pull', () => {
  it.each(answerFaults)('of which an answer meets: $name', async (kind) => {
    await Promise.all(Object.keys(operations).map((operation) => meet(kind, operation)))
    expect(table.row(kind.name)).toBe(expectedOutcome(kind, 'pull'))
  })

  it.each(bodyFaults)('of which a body meets: $name', async (kind) => {
    const withBody = Object.keys(operations).filter((operation) => operation !== 'tag')
    await Promise.all(withBody.map((operation) => meet(kind, operation)))
    expect(table.row(kind.name)).toBe(expectedOutcome(kind, 'pull'))
  })

  it.each(resumeFaults)('of which the rest of a layer meets: $name', async (kind) => {
    await meet(kind, 'layer')
    expect(table.row(kind.name)).toBe(expectedOutcome(kind, 'pull'))
  })
})

async function meet(kind: FaultKind, operation: string): Promise<void> {
  const { name, answer, times, isCut } = kind
  if (answer === undefined) return
  await using registry = await startHostileRegistry()
  const image = await addImage(registry.storage)
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const root = await mkdtemp(path.join(parent, 'katman-faults-'))
  const reference = parseReference(`${registry.host}/team/app:latest`)
  let received = 0
  const pull = async (): Promise<void> => {
    await using client = openClient({ isImpatient: kind.isSlow === true })
    using _ = { [Symbol.dispose]: () => (received += client.received()) }
    await using store = await openStore({ root, workers: 0 })
    await pullImage(store, client.repository(reference), reference, { platform })
  }
  try {
    let met = 0
    const pattern = operations[operation]?.(image) ?? /^$/
    registry.disturb(
      pattern,
      (exchange) => {
        met++
        return answer(exchange)
      },
      times,
    )
    if (kind.rest !== undefined) registry.disturb(pattern, kind.rest.pull, 1)
    if (operation === 'token') registry.wantTokens()
    const outcome = await outcomeOf(pull)
    table.record(name, operation, outcome)
    expect(met).toBeGreaterThan(0)
    if (isCut && outcome === 'ok') {
      const bytes = [image.config, ...image.layers].reduce((sum, { size }) => sum + size, 0)
      expect(received).toBeLessThan(bytes * 1.1)
    }
    await expectWhole(root, outcome === 'ok')
    registry.behave()
    await pull()
    await expectWhole(root, true)
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

async function expectWhole(root: string, isPulled: boolean): Promise<void> {
  await using store = await openStore({ root, workers: 0 })
  expect(await store.images()).toHaveLength(isPulled ? 1 : 0)
  expect((await store.references()).length > 0).toBe(isPulled)
  expect((await checkStore(store, { level: 'hash' })).problems).toEqual([])
}
