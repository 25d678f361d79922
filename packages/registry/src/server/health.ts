import { isKatmanError } from '@katman/oci'
import { json, type RegistryRequest, type RegistryResponse } from '../http.ts'

/** What a server tells about itself. */
export interface Health {
  /** Rejects with the reason when requests cannot be served. */
  check(): Promise<void>
  metricsText(): Promise<string>
  /** Who reads `/metrics`: everybody, who is on this machine, or nobody. */
  readonly showsMetrics: 'everybody' | 'nearby' | 'nobody'
}

/** Answers `/healthz` (the process runs), `/readyz` (it can serve) and `/metrics`; undefined for other paths. */
export async function answerHealth(
  health: Health,
  request: RegistryRequest,
): Promise<RegistryResponse | undefined> {
  const { method, path } = request
  if (path !== '/healthz' && path !== '/readyz' && path !== '/metrics') return undefined
  if (path === '/metrics' && !maySeeMetrics(health, request)) return undefined
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { allow: 'GET, HEAD' } }
  if (path === '/healthz') return json(200, { status: 'ok' }, noStore)
  if (path === '/metrics') {
    return {
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', ...noStore },
      body: Buffer.from(await health.metricsText()),
    }
  }
  try {
    await health.check()
    return json(200, { status: 'ready' }, noStore)
  } catch (error) {
    // Messages may name hosts and folders, and everybody may ask.
    const reason = isKatmanError(error) ? error.code : 'STOPPING'
    return json(503, { status: 'unavailable', reason }, noStore)
  }
}

const noStore = { 'cache-control': 'no-store' }

/** Through a proxy everybody seems to be on this machine, so whoever was forwarded is not. */
function maySeeMetrics({ showsMetrics }: Health, request: RegistryRequest): boolean {
  if (showsMetrics !== 'nearby') return showsMetrics === 'everybody'
  const { client = '' } = request
  const isForwarded = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'].some(
    (name) => request.header(name) !== undefined,
  )
  return !isForwarded && (client === '::1' || client.startsWith('127.'))
}
