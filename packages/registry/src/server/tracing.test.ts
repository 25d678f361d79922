import { context, propagation, trace } from '@opentelemetry/api'
import { afterEach, describe, expect, it } from 'vitest'
import { listen } from './listener.ts'
import { defaultLimits } from './server-options.ts'
import { openTracing } from './tracing.ts'

interface Span {
  readonly name: string
  readonly attributes: Record<string, unknown>
  readonly parent: unknown
  ended: boolean
  failed: boolean
}

const spans: Span[] = []
afterEach(() => {
  trace.disable()
  propagation.disable()
  context.disable()
  spans.splice(0)
})

/** As much of an SDK as a server meets. */
function startTelemetry(): void {
  const key = Symbol('traceparent')
  propagation.setGlobalPropagator({
    inject: () => undefined,
    fields: () => ['traceparent'],
    extract: (within, carrier) =>
      within.setValue(key, Reflect.get(Object(carrier), 'traceparent') as unknown),
  })
  const startSpan = (
    name: string,
    options: { attributes?: object } = {},
    parent = context.active(),
  ) => {
    const span: Span = {
      name,
      attributes: { ...options.attributes },
      parent: parent.getValue(key),
      ended: false,
      failed: false,
    }
    spans.push(span)
    return {
      setAttribute: (attribute: string, value: unknown) =>
        void (span.attributes[attribute] = value),
      setStatus: () => void (span.failed = true),
      end: () => void (span.ended = true),
    }
  }
  const provider = { getTracer: () => ({ startSpan }) }
  trace.setGlobalTracerProvider(
    provider as unknown as Parameters<typeof trace.setGlobalTracerProvider>[0],
  )
}

describe('openTracing', () => {
  it('makes a span of each request, named by its route, under that of the client', async () => {
    startTelemetry()
    const listener = await listen(async ({ path }) => ({ status: path === '/v2/' ? 200 : 500 }), {
      listen: { host: '127.0.0.1', port: 0 },
      limits: defaultLimits,
      tracing: await openTracing('1.0'),
    })
    const url = `http://127.0.0.1:${listener.address.port}`
    await fetch(`${url}/v2/?secret=1`, { headers: { traceparent: '00-aa-bb-01' } })
    await fetch(`${url}/v2/team/app/manifests/latest`)
    const drained = listener.drain()
    listener.cut()
    await drained
    expect(spans).toMatchObject([
      {
        name: 'GET base',
        parent: '00-aa-bb-01',
        ended: true,
        failed: false,
        attributes: { 'http.route': 'base', 'url.path': '/v2/', 'http.response.status_code': 200 },
      },
      { name: 'GET manifest', ended: true, failed: true },
    ])
    expect(JSON.stringify(spans)).not.toContain('secret')
  })

  it('costs nothing without an SDK', async () => {
    const symbol = Symbol.for('opentelemetry.js.api.1')
    const registered: unknown = Reflect.get(globalThis, symbol)
    Reflect.deleteProperty(globalThis, symbol)
    expect(await openTracing('1.0')).toBeUndefined()
    Reflect.set(globalThis, symbol, registered)
  })
})
