import * as v from 'valibot'
import { json, type RegistryResponse } from '../http.ts'
import { Refusal } from '../refusal.ts'
import { isRepositoryName } from '../route.ts'
import { listDeleted, listTagChanges, purgeOne } from './deleted.ts'
import { type Call, notAllowed } from './call.ts'
import { readJson } from './read-json.ts'
import { undelete } from './undelete.ts'

const limit = 1000

/** `/deleted/<repository>`: what can come back; POST brings something back, DELETE lets go of it at once. */
export async function answerDeleted({
  cleaner,
  request,
  rest,
  admit,
  store,
}: Call): Promise<RegistryResponse> {
  const repository = rest.join('/')
  if (!isRepositoryName(repository)) throw new Refusal(404, 'NAME_UNKNOWN', 'no such repository')
  const visitor = await admit({ repository, actions: ['admin'] })
  const { database } = cleaner
  const now = cleaner.now()
  if (request.method === 'GET') {
    const manifests = await listDeleted(database, { repository, now, limit })
    const tag = request.query.get('tag') ?? undefined
    const tags = await listTagChanges(database, { repository, tag, limit })
    return json(200, { manifests, tags })
  }
  if (request.method === 'POST') {
    const { reference } = await readJson(request, v.strictObject({ reference: v.string() }))
    const asked = { repository, reference, actor: visitor.account }
    return json(200, { repository, reference, digest: await undelete(cleaner, store, asked) })
  }
  if (request.method === 'DELETE') {
    const digest = request.query.get('digest') ?? ''
    if (await purgeOne(database, { repository, digest, now })) return { status: 204 }
    throw new Refusal(404, 'MANIFEST_UNKNOWN', 'no such deleted manifest')
  }
  throw notAllowed('GET, POST, DELETE')
}
