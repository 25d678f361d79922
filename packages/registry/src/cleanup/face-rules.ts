import * as v from 'valibot'
import { json, type RegistryResponse } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { type Call, noMore, notAllowed } from './call.ts'
import { addImmutableTags, listImmutableTags, removeImmutableTags } from './immutable-tags.ts'
import { findUsage, listUsage, setQuota } from './quotas.ts'
import { checkInput, readJson } from './read-json.ts'
import { checkCounters, recount } from './recount.ts'
import { planRetention, runRetention, type RetentionVerdict } from './retention.ts'
import {
  listRetention,
  removeRetention,
  repositoryPattern,
  retentionPolicySchema,
  setRetention,
  tagPattern,
} from './retention-policy.ts'

/** As many verdicts as one answer shows. */
const maxVerdicts = 10_000
const patterns = v.strictObject({
  repositories: repositoryPattern,
  tags: v.optional(tagPattern, '*'),
})

/** `/retention`: the policies; `/retention/run`: GET shows what would go and why, POST does it. */
export async function answerRetention(call: Call): Promise<RegistryResponse> {
  const { cleaner, request, rest, admit } = call
  await admit('system')
  const { database } = cleaner
  if (rest[0] === 'run') {
    noMore(rest.slice(1))
    if (request.method === 'GET') return showPlan(call)
    if (request.method === 'POST') return json(200, { deletedTags: await runRetention(cleaner) })
    throw notAllowed('GET, POST')
  }
  noMore(rest)
  if (request.method === 'GET') return json(200, { policies: await listRetention(database) })
  if (request.method === 'PUT') {
    const policy = await readJson(request, retentionPolicySchema)
    await setRetention(database, policy)
    return json(200, policy)
  }
  if (request.method === 'DELETE') {
    return removed(await removeRetention(database, patternsOf(call)))
  }
  throw notAllowed('GET, PUT, DELETE')
}

async function showPlan({ cleaner }: Call): Promise<RegistryResponse> {
  const tags: RetentionVerdict[] = []
  for await (const { verdicts } of planRetention(cleaner)) {
    tags.push(...verdicts)
    if (tags.length > maxVerdicts) {
      return json(200, { tags: tags.slice(0, maxVerdicts), isTruncated: true })
    }
  }
  return json(200, { tags, isTruncated: false })
}

/** `/quotas`: usage of all namespaces; `/quotas/<namespace>`: of one, and its quota; `/quotas/check`, `/quotas/recount`. */
export async function answerQuotas({
  cleaner,
  request,
  rest,
  admit,
}: Call): Promise<RegistryResponse> {
  const { database } = cleaner
  const [namespace, ...more] = rest
  noMore(more)
  if (namespace === undefined) {
    await admit('system')
    if (request.method === 'POST') {
      const wrong = await checkCounters(database)
      return json(200, { wrong: wrong.length, corrected: await recount(database) })
    }
    if (request.method !== 'GET') throw notAllowed('GET, POST')
    const last = request.query.get('last') ?? ''
    return json(200, { namespaces: await listUsage(database, { last, limit: 1000 }) })
  }
  if (request.method === 'GET') {
    await admit({ namespace })
    return json(200, await findUsage(database, namespace))
  }
  await admit('system')
  if (request.method === 'PUT') {
    const bytes = v.pipe(
      v.number(),
      v.integer(),
      v.minValue(0),
      v.maxValue(Number.MAX_SAFE_INTEGER),
    )
    const quota = await readJson(request, v.strictObject({ bytes }))
    await setQuota(database, namespace, quota.bytes)
    return json(200, await findUsage(database, namespace))
  }
  if (request.method === 'DELETE') {
    await setQuota(database, namespace, null)
    return { status: 204 }
  }
  throw notAllowed('GET, PUT, DELETE')
}

/** `/immutable-tags`: which tags never move. */
export async function answerImmutable(call: Call): Promise<RegistryResponse> {
  const { cleaner, request, rest, admit } = call
  noMore(rest)
  await admit('system')
  const { database } = cleaner
  if (request.method === 'GET') return json(200, { rules: await listImmutableTags(database) })
  if (request.method === 'PUT') {
    const rule = await readJson(request, patterns)
    await addImmutableTags(database, rule)
    return json(200, rule)
  }
  if (request.method === 'DELETE') {
    return removed(await removeImmutableTags(database, patternsOf(call)))
  }
  throw notAllowed('GET, PUT, DELETE')
}

function patternsOf({ request: { query } }: Call): v.InferOutput<typeof patterns> {
  return checkInput(patterns, Object.fromEntries(query))
}

function removed(wasThere: boolean): RegistryResponse {
  if (wasThere) return { status: 204 }
  throw new Refusal(404, 'NAME_UNKNOWN', 'there is no such rule')
}
