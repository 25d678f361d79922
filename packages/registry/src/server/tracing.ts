import type { Exchange } from './exchange.ts'

/** Wraps the work of one request in a span. */
export interface Tracing {
  run<T>(exchange: Exchange, route: string, work: () => Promise<T>): Promise<T>
  /** Says how it ended. */
  end(exchange: Exchange, status: number): void
}

/**
 * Spans for OpenTelemetry, when the process was started with an SDK (`node --import ./telemetry.js`): it has put its API where
 * every copy of it looks. Undefined without one: then nothing is loaded and a request costs nothing more.
 */
export async function openTracing(version: string): Promise<Tracing | undefined> {
  if (Reflect.get(globalThis, Symbol.for('opentelemetry.js.api.1')) === undefined) return undefined
  const { context, propagation, SpanKind, SpanStatusCode, trace } =
    await import('@opentelemetry/api')
  const tracer = trace.getTracer('katman.registry', version)
  const spans = new WeakMap<Exchange, ReturnType<typeof tracer.startSpan>>()
  return {
    run(exchange, route, work) {
      const parent = propagation.extract(context.active(), exchange.incoming.headers)
      const span = tracer.startSpan(
        `${exchange.method} ${route}`,
        {
          kind: SpanKind.SERVER,
          attributes: {
            'http.request.method': exchange.method,
            'http.route': route,
            'url.path': exchange.path,
            'url.scheme': exchange.isSecure ? 'https' : 'http',
            'client.address': exchange.client,
            'user_agent.original': exchange.header('user-agent') ?? '',
          },
        },
        parent,
      )
      spans.set(exchange, span)
      return context.with(trace.setSpan(parent, span), work)
    },
    end(exchange, status) {
      const span = spans.get(exchange)
      if (span === undefined) return
      span.setAttribute('http.response.status_code', status)
      span.setAttribute('http.response.body.size', exchange.sent)
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      if (exchange.notes.account !== undefined)
        span.setAttribute('enduser.id', exchange.notes.account)
      span.end()
    },
  }
}
