import { readdirSync } from 'node:fs'
import { isKatmanError } from '@katman/oci'
import type { OpenRegistry } from '../open-registry.ts'
import { label, type Metrics } from './metrics.ts'

/** Writes down what is true of the whole process and its database. Called before the numbers are shown. */
export async function collectProcessMetrics(
  metrics: Metrics,
  registry: OpenRegistry,
  { threads, version }: { readonly threads: number; readonly version: string },
): Promise<void> {
  const { user, system } = process.cpuUsage()
  metrics.set('katman_registry_info', label('version', version), 1)
  metrics.set('katman_registry_threads', '', threads)
  metrics.set('process_cpu_seconds_total', '', (user + system) / 1e6)
  metrics.set('process_resident_memory_bytes', '', process.memoryUsage.rss())
  metrics.set('process_start_time_seconds', '', Math.round(performance.timeOrigin) / 1000)
  const files = openFiles()
  if (files !== undefined) metrics.set('process_open_fds', '', files)
  await countInDatabase(metrics, registry)
}

/** While the database is away its numbers are missing, and all others are there. */
async function countInDatabase(metrics: Metrics, { database }: OpenRegistry): Promise<void> {
  metrics.clear('katman_registry_uploads_open')
  metrics.clear('katman_registry_jobs_waiting')
  try {
    const uploads = await database.get<{ readonly count: number }>(
      'SELECT count(*) AS count FROM uploads',
    )
    metrics.set('katman_registry_uploads_open', '', uploads?.count ?? 0)
    const jobs = await database.all<{ readonly kind: string; readonly count: number }>(
      'SELECT kind, count(*) AS count FROM jobs GROUP BY kind',
    )
    for (const { kind, count } of jobs) {
      metrics.set('katman_registry_jobs_waiting', label('kind', kind), count)
    }
  } catch (error) {
    if (!isKatmanError(error)) throw error
  }
}

/** Undefined where the system does not tell. */
function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return undefined
  }
}
