import { describe, expect, it } from 'vitest'
import { altered, cut, refusal, reset, stalled, withoutLength } from './faults.ts'
import { setUp, type PullSetup } from './pull-setup.ts'

/** Longest run of failed tries in a row. */
const tries = 6

describe('a pull goes on', () => {
  it('where a layer was cut, by Range', async () => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), cut(300_000), 1)
    await setup.pull()
    expect(layerRanges(setup)).toEqual([undefined, 'bytes=300000-'])
    await setup.recovers()
  })

  it('after many cuts, as long as each brings something', async () => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), cut(50_000), 15)
    await setup.pull()
    expect(layerRanges(setup)).toHaveLength(16)
    expect(layerRanges(setup).at(-1)).toBe('bytes=750000-')
    await setup.recovers()
  })

  it('with the next pull where the last one gave up', async () => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), cut(300_000), 1)
    setup.registry.disturb(layerOf(setup), cut(0))
    expect(await setup.refused()).toMatchObject({ code: 'CONNECTION_LOST' })
    setup.registry.behave()
    setup.registry.requests.length = 0
    await setup.pull()
    expect(layerRanges(setup)).toEqual(['bytes=300000-'])
    await setup.recovers()
  })

  it.each([
    ['a reset', reset(300_000)],
    ['a reset before the answer', reset()],
    ['a stall', stalled(300_000)],
    ['an end without a length', withoutLength((body) => body.subarray(0, 300_000))],
    ['a server error', refusal(500, 'UNKNOWN')],
    ['an overloaded server', refusal(503, 'UNAVAILABLE')],
    ['a gateway that waits for nothing', refusal(504, 'UNKNOWN')],
  ])('after %s of a layer', async (_, fault) => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), fault, 1)
    await setup.pull()
    expect(setup.events.map(({ type }) => type)).toEqual(['retry'])
    await setup.recovers()
  })

  it.each([
    ['tag', /HEAD .*manifests\/latest/],
    ['index', /GET .*manifests\/sha256/],
    ['config and layers', /GET .*blobs\/sha256/],
  ])('after a cut, a reset, a stall and a server error of the %s', async (_, pattern) => {
    await using setup = await setUp()
    for (const fault of [cut(10), reset(), stalled(10), refusal(500, 'UNKNOWN')]) {
      setup.registry.disturb(pattern, fault, 1)
    }
    await setup.pull()
    await setup.recovers()
  })

  it('when the server does not know Range, without the bytes it has already', async () => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), cut(300_000), 1)
    setup.registry.disturb(layerOf(setup), async ({ honest, send }) => {
      send(await honest({ range: false }))
    })
    await setup.pull()
    expect(layerRanges(setup)).toEqual([undefined, 'bytes=300000-'])
    await setup.recovers()
  })
})

describe('a pull gives up clearly', () => {
  it.each([
    ['cut', cut(0), 'CONNECTION_LOST'],
    ['reset', reset(), 'CONNECTION_LOST'],
    ['stalled', stalled(0), 'TIMEOUT'],
    ['without an end', withoutLength((body) => body.subarray(0, 0)), 'CONNECTION_LOST'],
    ['refused with 500', refusal(500, 'UNKNOWN'), 'REGISTRY_ERROR'],
    ['refused with 503', refusal(503, 'UNAVAILABLE'), 'REGISTRY_ERROR'],
  ])('when a layer is %s for ever', async (_, fault, code) => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), fault)
    const error = await setup.refused()
    expect(error.code).toBe(code)
    expect(`${error.message} ${String(error.details['url'])}`).toContain(setup.registry.host)
    expect(error.hint).toMatch(/again|slow/)
    expect(setup.waits).toEqual([250, 500, 1000, 2000, 4000])
    expect(layerRanges(setup)).toHaveLength(tries)
    await setup.recovers()
  })

  it.each([
    ['the tag', /manifests\/latest/],
    ['the index', /GET .*manifests\/sha256/],
    ['the config', /GET .*blobs\/sha256/],
  ])('when %s fails for ever', async (_, pattern) => {
    for (const fault of [reset(), refusal(502, 'UNKNOWN')]) {
      await using setup = await setUp()
      setup.registry.disturb(pattern, fault)
      expect((await setup.refused()).code).toMatch(/^(CONNECTION_LOST|REGISTRY_ERROR)$/)
      await setup.recovers()
    }
  })

  it.each([
    ['from another byte', 'bytes 299999-1000/2000'],
    ['of another size', 'bytes 300000-400000/400001'],
    ['unreadable', 'bytes x'],
    ['missing', undefined],
    ['with an escape sequence', 'bytes \u001b[31m'],
  ])('when the rest of a layer comes with a range that is %s', async (_, range) => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), cut(300_000), 1)
    setup.registry.disturb(
      layerOf(setup),
      altered(({ headers }) => {
        const { 'content-range': _honest, ...rest } = headers
        return { headers: range === undefined ? rest : { ...rest, 'content-range': range } }
      }),
    )
    const error = await setup.refused()
    expect(error.code).toBe('RESPONSE_INVALID')
    expect(error.message).toContain(setup.registry.host)
    expect(error.message).not.toContain('\u001b')
    await setup.recovers()
  })

  it('when the rest of a layer is refused as out of range', async () => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), cut(300_000), 1)
    setup.registry.disturb(layerOf(setup), refusal(416, 'RANGE_INVALID'))
    const error = await setup.refused()
    expect(error.code).toBe('REGISTRY_ERROR')
    expect(error.message).toContain('416')
    await setup.recovers()
  })

  it('when the answer is no HTTP', async () => {
    await using setup = await setUp()
    setup.registry.disturb(layerOf(setup), ({ outgoing }) => {
      outgoing.socket?.end('SSH-2.0-OpenSSH_9.9\r\n')
    })
    expect(await setup.refused()).toMatchObject({ code: 'RESPONSE_INVALID' })
    await setup.recovers()
  })

  it('when the answer is compressed although nobody asked', async () => {
    await using setup = await setUp()
    setup.registry.disturb(
      /GET .*(manifests|blobs)/,
      altered(({ headers }) => ({ headers: { ...headers, 'content-encoding': 'gzip' } })),
    )
    const error = await setup.refused()
    expect(error.code).toBe('RESPONSE_INVALID')
    expect(error.message).toContain('gzip')
    await setup.recovers()
  })

  it('when the head of the answer has no end', async () => {
    await using setup = await setUp()
    setup.registry.disturb(
      layerOf(setup),
      altered(({ headers }) => ({ headers: { ...headers, 'x-long': 'x'.repeat(100_000) } })),
    )
    expect(await setup.refused()).toMatchObject({ code: 'RESPONSE_INVALID' })
    await setup.recovers()
  })

  it('when nothing listens any more', async () => {
    await using setup = await setUp()
    await setup.registry[Symbol.asyncDispose]()
    expect(await setup.refused()).toMatchObject({ code: 'CONNECTION_REFUSED' })
  })
})

/** Requests for the large layer. */
function layerOf({ image }: PullSetup): RegExp {
  return new RegExp(`GET .*${image.layers[1].digest}`)
}

/** The `Range` of each of them. */
function layerRanges(setup: PullSetup): readonly (string | undefined)[] {
  return setup.registry.requests
    .filter(({ method, path }) => layerOf(setup).test(`${method} ${path}`))
    .map(({ headers }) => headers.range)
}
