import type { Face } from '../face.ts'
import { json, type RegistryResponse } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { type Call, noMore, notAllowed } from './call.ts'
import type { Cleaner } from './cleaner.ts'
import { answerDeleted } from './face-deleted.ts'
import { answerImmutable, answerQuotas, answerRetention } from './face-rules.ts'
import { runCleanup } from './run-cleanup.ts'
import { listDamage } from './scrub.ts'
import { readStatus } from './status.ts'
import type { StoreManifest } from './undelete.ts'
import { enqueueJob } from '../jobs/job.ts'
import { scrubJobKind } from './job-kinds.ts'

const prefix = '/api/v1/'

/** Answers `/api/v1/gc`, `/retention`, `/quotas`, `/immutable-tags`, `/deleted`, `/scrub`. */
export function createCleanupFace(cleaner: Cleaner, store: StoreManifest): Face {
  return async (request, admit) => {
    if (!request.path.startsWith(prefix)) return undefined
    const [collection = '', ...rest] = request.path.slice(prefix.length).split('/')
    const answer = Object.hasOwn(answers, collection) ? answers[collection] : undefined
    return answer?.({ cleaner, request, rest: rest.map(decode), admit, store })
  }
}

const answers: Readonly<Record<string, (call: Call) => Promise<RegistryResponse>>> = {
  gc: answerGc,
  retention: answerRetention,
  quotas: answerQuotas,
  'immutable-tags': answerImmutable,
  deleted: answerDeleted,
  scrub: answerScrub,
}

async function answerGc({ cleaner, request, rest, admit }: Call): Promise<RegistryResponse> {
  noMore(rest)
  await admit('system')
  const { database, now, options } = cleaner
  if (request.method === 'GET') {
    return json(200, { ...(await readStatus(database, now())), options })
  }
  if (request.method === 'POST') return json(200, await runCleanup(cleaner))
  throw notAllowed('GET, POST')
}

async function answerScrub({ cleaner, request, rest, admit }: Call): Promise<RegistryResponse> {
  noMore(rest)
  await admit('system')
  const { database, now } = cleaner
  if (request.method === 'GET') return json(200, { damaged: await listDamage(database, 1000) })
  if (request.method === 'POST') {
    await enqueueJob(database, { kind: scrubJobKind, uniqueKey: scrubJobKind }, now())
    return json(202, { message: 'every blob is read in the background' })
  }
  throw notAllowed('GET, POST')
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new Refusal(400, 'NAME_INVALID', 'the path is no valid text')
  }
}
