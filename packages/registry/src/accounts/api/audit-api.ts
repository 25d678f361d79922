import { json } from '../../http.ts'
import { cutAudit, queryAudit } from '../audit-log.ts'
import {
  change,
  type Handler,
  invalid,
  nextPage,
  readPaging,
  requireSystem,
  timeText,
} from './call.ts'

/** `GET /api/v1/audit?actor=&action=&target=&since=&until=`: the newest first. */
export const listAudit: Handler = async (call) => {
  requireSystem(call)
  const { query } = call.request
  const paging = readPaging(call)
  const found = await queryAudit(call.database, {
    actor: query.get('actor') ?? undefined,
    action: query.get('action') ?? undefined,
    target: query.get('target') ?? undefined,
    since: readTime(query.get('since'), 'since'),
    until: readTime(query.get('until'), 'until'),
    before: /^\d{1,15}$/.test(paging.last) ? Number(paging.last) : undefined,
    limit: paging.limit,
  })
  const entries = found.map(({ id, at, actor, client, action, target, result, detail }) => ({
    id,
    at: timeText(at),
    actor: actor ?? null,
    client: client ?? null,
    action,
    target,
    result,
    detail: detail ?? null,
  }))
  return json(200, { entries }, nextPage(call, paging, found, found.at(-1)?.id ?? 0))
}

/** `DELETE /api/v1/audit?until=TIME`: cuts what is older. That it was cut is the first new entry. */
export const removeAudit: Handler = async (call) => {
  requireSystem(call)
  const until = readTime(call.request.query.get('until'), 'until')
  if (until === undefined) throw invalid('until: expected a time')
  const entry = { action: 'audit.cut', target: new Date(until).toISOString() }
  const removed = await change(call, entry, (transaction) => cutAudit(transaction, until))
  return json(200, { removed })
}

function readTime(text: string | null, name: string): number | undefined {
  if (text === null) return undefined
  const time = /^\d{4}-\d\d-\d\d(?:T[\d:.]{5,16}(?:Z|[+-]\d\d:\d\d))?$/.test(text)
    ? Date.parse(text)
    : NaN
  if (Number.isNaN(time)) throw invalid(`${name}: expected a time like 2026-01-31T12:00:00Z`)
  return time
}
